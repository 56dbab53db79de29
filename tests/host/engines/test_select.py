import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines import choose, engines_here, select_engine
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.policy import Policy

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.mark.parametrize("name", ["bubblewrap", "docker", "podman"])
def test_a_named_engine_is_taken(monkeypatch, name):
    """Whether it can run is found out when it is used: then the reason is known."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    choice = choose(Policy(engine=name))
    assert choice.engine.name == name
    assert name in choice.reason


def test_without_a_daemon_it_is_bubblewrap(monkeypatch):
    """The reason says where a daemon was looked for."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    choice = choose(Policy())
    assert choice.engine.name == "bubblewrap"
    assert "no Docker daemon at unix:///nowhere/docker.sock (DOCKER_HOST)" in choice.reason


@pytest.mark.parametrize("wish", [{"image": "python:3.13"}, {"runtime": "runsc"}])
def test_who_names_an_image_or_a_runtime_wants_a_container(monkeypatch, wish):
    """Without a daemon that is an error, not another wall."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    engine = select_engine(Policy(**wish))
    assert engine.name == "docker"
    with pytest.raises(EngineUnavailableError, match="does not answer at unix:///nowhere"):
        engine.check(Policy(**wish))


def test_a_daemon_with_the_image_is_taken(monkeypatch, docker_host):
    """Docker comes first where it can do all that is asked for."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    choice = choose(Policy())
    assert choice.engine.name == "docker"
    assert "Docker" in choice.reason


def test_a_daemon_without_the_image_is_not(monkeypatch, docker_host):
    """What says how the image gets there is the reason for bubblewrap."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    monkeypatch.setattr("sandbox_kernel.host.engines.docker.engine.OUR_IMAGE", "sandbox-kernel/nothing")
    choice = choose(Policy())
    assert choice.engine.name == "bubblewrap"
    assert "sandbox-kernel image list" in choice.reason


def test_a_daemon_elsewhere_is_taken_only_if_nothing_is_shared(monkeypatch, docker_host):
    """The notebook's folder is not there."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    far_away = FarAway(os.uname())
    monkeypatch.setattr("os.uname", lambda: far_away)
    assert choose(Policy()).engine.name == "bubblewrap"
    assert "is not on this machine" in choose(Policy()).reason
    assert choose(Policy(workspace="none")).engine.name == "docker"


def test_what_cannot_run_in_a_container_runs_in_bubblewrap(monkeypatch, docker_host, tmp_path):
    """A folder that the container's user may not read, and a kernel that is not of this Python, decide."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    tmp_path.chmod(0o755)
    ours = Launch((sys.executable, "-m", "ipykernel_launcher"), tmp_path, "0123456789abcdef")
    assert choose(Policy(), ours).engine.name == "docker"
    other = choose(Policy(), replace(ours, argv=("/usr/bin/R", "--slave")))
    assert (other.engine.name, "/usr/bin/R" in other.reason) == ("bubblewrap", True)
    tmp_path.chmod(0o000 if os.geteuid() else 0o700)
    closed = choose(Policy(), ours)
    assert (closed.engine.name, str(tmp_path) in closed.reason) == ("bubblewrap", True)
    tmp_path.chmod(0o700)


class FarAway:
    """A machine like this one with another name."""

    def __init__(self, real):
        self.nodename = "far-away"
        self.release = real.release


def test_engines_that_may_have_left_something(monkeypatch, docker_host):
    """Each daemon is asked once, by whatever name it is known."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    assert [engine.name for engine in engines_here()] == ["bubblewrap", "docker"]
    monkeypatch.setenv("DOCKER_HOST", "nonsense")
    assert [engine.name for engine in engines_here()] == ["bubblewrap"]


def test_the_client_library_is_loaded_only_for_a_daemon():
    """To find out that there is none costs no more than a look."""
    code = (
        "import os, sys; os.environ['DOCKER_HOST'] = 'unix:///nowhere'\n"
        "from sandbox_kernel.host.engines import select_engine; from sandbox_kernel.policy import Policy\n"
        "select_engine(Policy()); print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
