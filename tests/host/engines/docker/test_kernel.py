import sys
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.base import CONNECTION_FILE, Launch
from sandbox_kernel.host.engines.docker.kernel import interpreter, start_message
from sandbox_kernel.host.environment import HOME
from sandbox_kernel.policy import Policy
from tests.host.engines.docker.machines import facts, image


def message(policy=None, env=None, picture=None, machine=None, argv=(sys.executable, CONNECTION_FILE)):
    launch = Launch(argv, Path("/data/../data/n"), "0" * 16, env or {})
    return start_message(policy or Policy(), launch, picture or image(), machine or facts())


@pytest.mark.parametrize(
    "command", [sys.executable, "python3", str(Path(sys.executable).with_name("python3"))]
)
def test_a_python_of_this_host_stands_for_the_images(command):
    """A kernelspec names the host's interpreter, which is not there inside."""
    assert interpreter(command) == "python3"


@pytest.mark.parametrize("command", ["/opt/conda/bin/python", "/bin/sh", "sh", "ipython", "/nowhere/python3"])
def test_other_commands_are_the_images_own(command):
    """What this host does not have, or what is no Python, is looked for in the image."""
    assert interpreter(command) == command


def test_the_environment_is_the_images_and_then_ours():
    """An image's variables are a part of it; the host's come in by name alone; ours win."""
    picture = image(
        environment={"PATH": "/opt/x:/bin", "JAVA_HOME": "/java", "HOME": "/h", "JPY_PARENT_PID": "1"}
    )
    env = message(picture=picture, env={"TOKEN": "t"}).env
    assert (env["PATH"], env["JAVA_HOME"], env["HOME"], env["TOKEN"]) == ("/opt/x:/bin", "/java", HOME, "t")
    assert "JPY_PARENT_PID" not in env


def test_nothing_of_the_hosts_environment_comes_in(monkeypatch):
    """But what the policy names."""
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("NAMED", "n")
    env = message(Policy(env=("NAMED",))).env
    assert ("SECRET" in env, env["NAMED"]) == (False, "n")


def test_a_granted_path_wins():
    """Whoever names PATH means it."""
    assert message(env={"PATH": "/mine"}).env["PATH"] == "/mine"


def test_where_it_runs():
    """In the folder as it is named, or at home if that is not shared."""
    assert message().cwd == "/data/n"
    assert message(Policy(workspace="none")).cwd == HOME


def test_processes_are_limited_from_outside():
    """The container's group counts them; in gVisor its own kernel has to."""
    assert message().pids is None
    assert message(Policy(engine="docker", runtime="runsc", pids=99)).pids == 99
