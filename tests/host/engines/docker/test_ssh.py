"""Daemons behind ssh, with a stand-in for the ssh client: what it would connect to is here."""

import os
import sys
from pathlib import Path

import pytest

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.host.engines.docker.ssh import command
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel

CLIENT = """\
#!{python}
import os, select, socket, sys
assert sys.argv[1:] == {arguments!r}, sys.argv
far = socket.socket(socket.AF_UNIX)
far.connect({path!r})
while True:
    for ready in select.select([0, far], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else far.recv(65536)
        if not data:
            sys.exit()
        if ready == 0:
            far.sendall(data)
        while ready != 0 and data:
            data = data[os.write(1, data):]
"""
ARGUMENTS = ["-T", "-o", "ConnectTimeout=30", "-l", "me", "--", "there", "docker", "system", "dial-stdio"]


@pytest.mark.parametrize(
    ("url", "program", "ends"),
    [
        ("ssh://host", "docker", ["ConnectTimeout=30", "--", "host", "docker", "system", "dial-stdio"]),
        (
            "ssh://me@host:2222",
            "docker",
            ["-l", "me", "-p", "2222", "--", "host", "docker", "system", "dial-stdio"],
        ),
        (
            "ssh://host/run/d.sock",
            "docker",
            ["docker", "--host", "unix:///run/d.sock", "system", "dial-stdio"],
        ),
        (
            "ssh://host/run/p.sock",
            "podman",
            ["podman", "--url", "unix:///run/p.sock", "system", "dial-stdio"],
        ),
        ("ssh://[::1]", "podman", ["--", "::1", "podman", "system", "dial-stdio"]),
    ],
)
def test_the_command_line(url, program, ends):
    """As the docker program makes it; nothing of a url is taken for an option."""
    made = command(url, program)
    assert made[0] == "ssh"
    assert made[-len(ends) :] == ends


@pytest.mark.parametrize(
    "url", ["ssh://", "ssh://me@", "ssh://me:secret@host", "ssh://host:port", "ssh://h?x=1"]
)
def test_what_names_no_host_is_refused(url):
    """A password in a url would be seen by everybody on the machine."""
    with pytest.raises(EngineUnavailableError, match="write ssh://user@host"):
        command(url, "docker")


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Put a program in the place of ssh."""

    def put(text):
        path = tmp_path / "ssh"
        path.write_text(text)
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return put


def test_a_kernel_behind_ssh(no_leftovers, ssh, docker_host):
    """It answers, sends much, and goes without leaving a client of ssh."""
    path = docker_host.removeprefix("unix://")
    ssh(CLIENT.format(python=sys.executable, arguments=ARGUMENTS, path=path))
    engine = DockerEngine(address=Address("docker", "ssh://me@there", "tests"))
    kernel = Kernel(engine, Policy(workspace="none"), Path("/"))
    assert kernel.value("6 * 7") == "42"
    assert len(kernel.run("for _ in range(20): print('x' * 1_000_000)").text()) == 20 * 1_000_001
    kernel.close()
    assert no_leftovers.settle() == set()


def test_what_ssh_complains_about_is_told(no_leftovers, ssh):
    """The reason is ssh's own."""
    ssh("#!/bin/sh\necho 'ssh: Could not resolve hostname there: Name or service not known' >&2; exit 255\n")
    with pytest.raises(EngineUnavailableError, match="Could not resolve hostname there"):
        Daemon(Address("docker", "ssh://me@there", "tests"))


def test_without_ssh(no_leftovers, monkeypatch, tmp_path):
    """It is named as what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="ssh is not installed"):
        Daemon(Address("docker", "ssh://me@there", "tests"))
