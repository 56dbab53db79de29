"""Our images on the tests' daemons: built once from what this checkout holds, offline."""

import fcntl

import docker

from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.images import base
from sandbox_kernel.host.images import build as builder
from sandbox_kernel.host.images.recipe import OFFLINE_BASE
from sandbox_kernel.host.images.store import Store
from tests.daemons.services import STATE


def build(host: str, name: str) -> None:
    """Build an image of ours on a daemon, unless it is there and nothing of it has changed."""
    with (STATE / "images.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon = Daemon(Address("docker", host, "tests"), timeout=600)
        try:
            store = Store(daemon)
            if not base.is_current(store):
                base.renew(store, print)
            if not builder.up_to_date(store, name, OFFLINE_BASE):
                builder.build(daemon, name, OFFLINE_BASE, print)
        finally:
            daemon.close()


def copy(source: str, target: str, name: str) -> None:
    """Have the same image on another daemon."""
    reference = f"sandbox-kernel/{name}:latest"
    with (STATE / "images.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        here, there = docker.APIClient(source, timeout=600), docker.APIClient(target, timeout=600)
        try:
            if _contents(here, reference) != _contents(there, reference):
                there.load_image(b"".join(here.get_image(reference)))
        finally:
            here.close()
            there.close()


def _contents(client: docker.APIClient, reference: str) -> str | None:
    try:
        found = client.inspect_image(reference)
    except docker.errors.ImageNotFound:
        return None
    label: str = found["Config"]["Labels"].get("org.sandbox-kernel.contents", "")
    return label


def version(host: str) -> str:
    """Return what a daemon says it is."""
    client = docker.APIClient(host)
    try:
        said = client.version()
        return f"{said['Components'][0]['Name']} {said['Version']}"
    finally:
        client.close()
