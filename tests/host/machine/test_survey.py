"""What is found out about this machine."""

import shutil
import stat

import pytest

from sandbox_kernel.host.engines.bubblewrap.bwrap import find_bubblewrap
from sandbox_kernel.host.engines.bubblewrap.identity import trial_identity
from sandbox_kernel.host.machine.survey import Survey, survey
from sandbox_kernel.host.machine.walls import Wall
from sandbox_kernel.policy import Policy

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def alone(monkeypatch):
    """No daemon in sight."""
    for name in ("DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.setenv(name, NOWHERE)


def test_bubblewrap_is_graded(alone):
    """With or without a daemon there is a grade for what is there."""
    (wall,) = survey(Policy()).walls
    assert wall.engine == "bubblewrap"
    assert wall.grade in {"C", "D"}


def test_what_a_policy_gets():
    """The daemon's own runtime comes first; families are found by any name; nothing stands in for another."""
    walls = [
        Wall("bubblewrap", "", "C", ""),
        Wall("docker", "runc", "C", ""),
        Wall("docker", "runsc", "B", ""),
        Wall("podman", "", "", "It does not answer."),
    ]
    found = Survey(walls)
    assert [
        found.wall_of(engine, runtime)
        for engine, runtime in [
            ("bubblewrap", None),
            ("docker", None),
            ("docker", "gvisor"),
            ("docker", "runsc"),
            ("docker", "kata"),
            ("podman", None),
            ("", None),
        ]
    ] == [walls[0], walls[1], walls[2], walls[2], None, None, None]


def test_a_policy_for_containers_does_not_hide_bubblewrap(alone):
    """Its image and runtime are none of bubblewrap's business."""
    (wall,) = survey(Policy(engine="docker", runtime="kata", image="x")).walls
    assert wall.grade in {"C", "D"}


def test_a_daemon_is_graded_by_its_runtimes(monkeypatch, gvisor_host):
    """Its own and gVisor each have their line; the versions of its parts are looked at."""
    monkeypatch.setenv("DOCKER_HOST", gvisor_host)
    monkeypatch.setenv("CONTAINER_HOST", NOWHERE)
    found = survey(Policy())
    assert {wall.runtime: wall.grade for wall in found.walls if wall.engine == "docker"} == {
        "runc": "C",
        "runsc": "B",
    }
    assert all(hole.sandboxes and hole.advice for hole in found.holes)


def test_podman_is_graded_by_what_is_installed(monkeypatch, podman_host):
    """It lists Kata Containers wherever it is; there is no A for a program that is not there."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.setenv("CONTAINER_HOST", podman_host)
    graded = {wall.runtime: wall.grade for wall in survey(Policy()).walls if wall.engine == "podman"}
    assert "C" in graded.values()
    assert {runtime for runtime in graded if not shutil.which(runtime) and "/" not in runtime} == set()


def test_a_daemon_that_does_not_answer_is_named(monkeypatch, tmp_path):
    """It costs the others nothing."""
    socket = tmp_path / "d.sock"
    socket.touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monkeypatch.setenv("CONTAINER_HOST", NOWHERE)
    graded = {wall.engine: wall.grade for wall in survey(Policy()).walls}
    assert graded["bubblewrap"]
    assert graded.get("docker", "") == ""


def test_a_set_user_id_bubblewrap_is_told(alone, monkeypatch, directory):
    """It is no help to sandboxes, and has had holes of its own."""
    real = find_bubblewrap(trial_identity()).path
    copy = directory / "bwrap"
    shutil.copy(real, copy)
    copy.chmod(0o755 | stat.S_ISUID)
    monkeypatch.setattr("sandbox_kernel.host.engines.bubblewrap.bwrap.USUAL", (str(copy),))
    assert "CVE-2026-41163" in {name for hole in survey(Policy()).holes for name in hole.names}
