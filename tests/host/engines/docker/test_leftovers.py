import subprocess
import sys

import pytest

from sandbox_kernel.host.engines.docker import leftovers
from sandbox_kernel.host.engines.docker.leftovers import BOOT, KERNEL, MACHINE, OWNER, is_left, labels


def test_our_own_are_not_left():
    """This process lives."""
    assert labels("abc")[KERNEL] == "abc"
    assert not is_left(labels("abc"))


def test_those_of_a_process_that_has_ended_are():
    """So are those of an earlier boot of this machine."""
    code = "from sandbox_kernel.host.engines.docker.leftovers import labels; print(labels('x'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ended = eval(run.stdout)
    assert is_left(ended)
    assert is_left({**labels("x"), BOOT: "another"})


def test_a_recycled_number_is_no_owner():
    """The process with the number lives, but started later than the owner."""
    pid, started, namespace = labels("x")[OWNER].split(":", 2)
    assert is_left({**labels("x"), OWNER: f"{pid}:{int(started) - 1}:{namespace}"})


@pytest.mark.parametrize(
    "change",
    [
        {MACHINE: "another"},
        {MACHINE: "another", BOOT: "another"},
        {OWNER: "999999999:1:pid:[1]"},
        {OWNER: "999999999:1"},
        {OWNER: "junk"},
        {OWNER: ""},
    ],
)
def test_what_cannot_be_known_is_left_alone(change):
    """Another machine's, another container's process, and labels that mean nothing."""
    assert not is_left({**labels("x"), **change})


def test_labels_of_others():
    """A container without any of our labels is not ours."""
    assert not is_left({})


def test_what_could_not_be_removed_is_remembered():
    """Until its daemon answers again; other daemons have nothing to do with it."""
    removed = []

    class Daemon:
        def __init__(self, url, answers=True):
            self.address = type("Address", (), {"url": url})
            self.answers = answers

        def remove(self, container):
            if not self.answers:
                raise leftovers.SandboxError("gone")
            removed.append(container)

    undone = leftovers.Undone()
    undone.note("unix:///a", "1")
    undone.catch_up(Daemon("unix:///b"))
    undone.catch_up(Daemon("unix:///a", answers=False))
    assert removed == []
    undone.catch_up(Daemon("unix:///a"))
    undone.catch_up(Daemon("unix:///a"))
    assert removed == ["1"]
