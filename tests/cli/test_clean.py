"""`sandbox-kernel clean`."""

import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from sandbox_kernel.host.engines.docker import leftovers
from tests.daemons.plugin import container_host

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
