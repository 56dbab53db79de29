"""`sandbox-kernel clean`."""

import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from sandbox_kernel.cli.app import run_command
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.engines.docker import leftovers
from tests.daemons.plugin import container_host
from tests.host.engines.docker.stub import Stub

PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
DEAD = "2147483646:1:"
"""A process number that Linux never gives."""


def clean(**env):
    return subprocess.run(
        [PROGRAM, "clean"], env=os.environ | env, capture_output=True, text=True, timeout=60, check=False
    )


def test_nothing_is_left():
    """It says so, rather than nothing."""
    done = clean()
    assert (done.returncode, done.stdout) == (0, "Nothing was left behind.\n")


def test_what_stays_is_told(tmp_path, monkeypatch, capsys):
    """A daemon that fails to remove a container has left something behind."""
    undone = leftovers.Undone()
    monkeypatch.setattr(leftovers, "UNDONE", undone)
    monkeypatch.setattr(leftovers, "SWEPT_WITHIN", 0)
    monkeypatch.setattr(leftovers, "PURSUED", 0)
    stub = Stub(tmp_path / "d.sock")
    monkeypatch.setenv("DOCKER_HOST", stub.address.url)
    stub.labels = {**leftovers.labels("x"), leftovers.BOOT: "another"}
    stub.containers = {"fine": iter([204]), "stuck": itertools.repeat(500)}
    with contextlib.closing(stub.start()):
        assert run_command(["clean"]) == ExitCode.USAGE
        for thread in list(undone._threads.values()):
            thread.join()
    said = capsys.readouterr()
    assert said.out == "Removed container fine\n"
    assert "Not removed yet: container stuck. The daemon" in said.err


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_containers_of_dead_hosts_are_removed(request, engine):
    """What a dead host has made goes; what a living one has made, and what is not ours, stays."""
    host = container_host(request, engine)
    client = docker.APIClient(host)
    mine = leftovers.labels("0123456789abcdef")
    dead = mine | {leftovers.OWNER: DEAD + mine[leftovers.OWNER].split(":", 2)[2]}
    made = {
        name: client.create_container("sandbox-kernel/python", ["true"], labels=labels)["Id"]
        for name, labels in {"dead": dead, "mine": mine, "foreign": {}}.items()
    }
    try:
        done = clean(DOCKER_HOST=host)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1
        assert done.stdout.startswith("Removed container ")
        there = {entry["Id"] for entry in client.containers(all=True)}
        assert {name for name, identifier in made.items() if identifier in there} == {"mine", "foreign"}
    finally:
        for identifier in made.values():
            try:
                client.remove_container(identifier, force=True)
            except docker.errors.NotFound:
                continue
        client.close()
