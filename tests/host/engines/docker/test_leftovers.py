import contextlib
import os
import signal
import subprocess
import sys

import pytest

from sandbox_kernel.host.engines.docker import leftovers
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.leftovers import BOOT, KERNEL, MACHINE, OWNER, is_left, labels
from tests.host.engines.docker.stub import Stub


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


@pytest.fixture
def stub(tmp_path):
    stub = Stub(tmp_path / "d.sock").start()
    yield stub
    stub.close()


@pytest.fixture
def undone():
    """Nothing undone yet; at the end nothing is tried any more."""
    undone = leftovers.Undone()
    yield undone
    await_all(undone)


def await_all(undone):
    for thread in list(undone._threads.values()):
        thread.join(30)
        assert not thread.is_alive()


@contextlib.contextmanager
def connected(stub):
    with contextlib.closing(Daemon(stub.address)) as daemon:
        yield daemon


@pytest.mark.parametrize("status", [409, 500])
def test_a_removal_that_has_begun_and_fails_is_tried_again(stub, undone, status):
    """An answer that somebody else is at it, or an error, is no sight of its being gone."""
    stub.containers["a"] = iter([status, status, 204])
    undone.note(stub.address, "a")
    with connected(stub) as daemon:
        undone.catch_up(daemon)
    assert undone.left() == ["a"]  # and the launch went on
    await_all(undone)
    assert undone.left() == []
    assert stub.orders == ["a"] * 3


def test_a_launch_tries_what_the_background_has_given_up(stub, undone, monkeypatch):
    """What stays noted when time is up is ordered anew by whoever asks that daemon next; not of others."""
    monkeypatch.setattr(leftovers, "PURSUED", 0)
    stub.containers["a"] = iter([409, 409, 204])
    undone.hand_over(stub.address, "a")
    undone.note(Address("docker", "unix:///elsewhere", "tests"), "b")
    await_all(undone)
    assert stub.orders == ["a"]
    with connected(stub) as daemon:
        undone.catch_up(daemon)
        await_all(undone)
        assert undone.left(stub.address.url) == []
    assert undone.left() == ["b"]
    assert "b" not in stub.orders


def test_a_daemon_that_comes_back_is_asked_again(tmp_path, undone):
    """Its containers are removed without another launch."""
    stub = Stub(tmp_path / "d.sock")
    stub.containers["a"] = iter([204])
    undone.hand_over(stub.address, "a")
    with contextlib.closing(stub.start()):
        await_all(undone)
    assert undone.left() == []


def test_a_sweep_reports_what_it_saw_gone(stub, undone, monkeypatch):
    """Not what a daemon has only begun to remove, nor what it lists and does not have."""
    monkeypatch.setattr(leftovers, "UNDONE", undone)
    monkeypatch.setattr(leftovers, "SWEPT_WITHIN", 0)
    stub.labels = {**labels("x"), BOOT: "another"}
    stub.containers = {"a": iter([204]), "b": iter([409, 204])}
    stub.ghosts = ["c"]
    with connected(stub) as daemon:
        assert leftovers.sweep(daemon) == ["container a"]
    assert undone.left() == ["b"]
    await_all(undone)
    assert not stub.containers
    assert "c" not in stub.orders


def test_a_forked_child_leaves_it_to_its_parent():
    """And does not wait for a lock that one of its parent's threads held."""
    with leftovers.UNDONE._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(len(leftovers.UNDONE.left()))
    assert os.waitpid(child, 0)[1] == 0
