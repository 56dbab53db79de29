"""Each way to run a kernel has the grade that fits whose kernel it talks to."""

import pytest

from sandbox_kernel.host.engines.base import Enforcement
from sandbox_kernel.host.machine.walls import bubblewrap_wall, container_wall, graded_runtimes, unusable
from tests.host.engines.docker.machines import facts

KEPT = Enforcement("memory", "cgroup v2", "All together.")
WATCHED = Enforcement("memory", "watchdog", "After the fact; have control groups.", weak=True)


@pytest.mark.parametrize(
    ("runtime", "grade", "words"),
    [
        ("runc", "C", "this machine's own kernel"),
        ("crun", "C", "this machine's own kernel"),
        ("runsc", "B", "gVisor"),
        ("io.containerd.runsc.v1", "B", "gVisor"),
        ("kata", "A", "virtual machine"),
        ("io.containerd.kata.v2", "A", "virtual machine"),
        ("/opt/kata/bin/kata-runtime", "A", "virtual machine"),
        ("katamaran-without-a-machine/runc", "C", "this machine's own kernel"),
    ],
)
def test_the_runtime_decides(runtime, grade, words):
    """Only a kernel of its own is more than C."""
    wall = container_wall("docker", facts(), runtime)
    assert (wall.engine, wall.runtime, wall.grade) == ("docker", runtime, grade)
    assert words in wall.meets


def test_bubblewrap_shares_the_kernel():
    """It is C, and says how to get further."""
    wall = bubblewrap_wall([KEPT])
    assert (wall.grade, wall.weak) == ("C", ())
    assert "gVisor" in wall.advice


def test_what_is_weak_lowers_a_shared_kernel():
    """A watchdog is less than a control group; the line says what to do."""
    assert bubblewrap_wall([KEPT, WATCHED]).grade == "D"
    assert bubblewrap_wall([WATCHED]).weak == ("memory: After the fact; have control groups.",)
    assert container_wall("docker", facts(), "runc", [WATCHED]).grade == "D"
    assert container_wall("docker", facts(), "runsc", [WATCHED]).grade == "B"


def test_ordinary_daemons_are_told_what_they_lack():
    """Users and modules are no reason for a lower grade, but are said."""
    users, modules = container_wall("docker", facts(), "runc").weak
    assert "rootless" in users
    assert "AppArmor" in modules
    assert container_wall("docker", facts(userns=True, confined=True), "runc").weak == ()


def test_what_is_there_already_is_advised_first():
    """Nobody is sent to install what the daemon has."""
    assert "--runtime runsc, which is there" in container_wall("docker", facts(), "runc").advice
    assert "Install gVisor" in container_wall("docker", facts(runtimes=("runc",)), "runc").advice


def test_which_runtimes_have_a_line():
    """The daemon's own, and those with a kernel of their own; not each name of the same program."""
    known = ("crun", "io.containerd.runc.v2", "kata", "runc", "runsc")
    assert graded_runtimes(facts(runtimes=known)) == ["runc", "kata", "runsc"]
    assert graded_runtimes(facts(runtimes=("runc", "runsc"), default_runtime="runsc")) == ["runsc"]
    assert graded_runtimes(facts(runtimes=known, product="Podman", local=False)) == ["runc"]


def test_an_unusable_engine_has_its_reason():
    """Instead of a grade."""
    wall = unusable("podman", "It does not answer.")
    assert (wall.grade, wall.meets) == ("", "It does not answer.")
