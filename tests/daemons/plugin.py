"""Fixtures: daemons that are up, with our images in them; tests that take one are marked `container`.

A machine that cannot have one skips, with a reason that begins with the engine's name; where
continuous integration promises the engine, `tests/conftest.py` makes a failure of that.
"""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemons import images
from tests.daemons.keeper import users_of
from tests.daemons.services import RUN, SEARCHED, MissingError, dockerd, podman

CHECKOUT = Path(__file__).parents[2]
HOSTS = {"docker_host", "gvisor_host", "podman_host"}
CONTAINERS = {"docker", "gvisor", "podman"}


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _takes_a_container(item):
            item.add_marker("container")
            item.add_marker("more")


def _takes_a_container(item: pytest.Item) -> bool:
    """Say whether a test names a daemon's fixture, or is the one of several that is about such an engine."""
    case = getattr(item, "callspec", None)
    engines = {value for value in case.params.values() if isinstance(value, str)} if case else set()
    return bool(HOSTS & set(getattr(item, "fixturenames", ())) or CONTAINERS & engines)


def containers_wanted(session: pytest.Session) -> bool:
    """Say whether a test that takes a container was chosen to run."""
    return any(item.get_closest_marker("container") for item in session.items)


@contextmanager
def daemon(name: str) -> Iterator[str]:
    """Have the daemon up; yields its address.

    :raises MissingError: it cannot run here.
    """
    service = {"docker": dockerd, "podman": podman}[name]()
    with (RUN / f"{name}.starting").open("a") as starting, users_of(name).open("a") as users:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper, with nobody left, is ending it
        if not service.answers():
            _start_keeper(name)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield service.host


def _start_keeper(name: str) -> None:
    command = [sys.executable, "-m", "tests.daemons.keeper", name]
    started = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    if started.stdout != "up\n":
        raise MissingError(started.stdout.strip() or f"{name} does not start")


@contextmanager
def or_skip(engine: str) -> Iterator[None]:
    """Turn what is missing into a skip that names the engine."""
    try:
        yield
    except MissingError as error:
        pytest.skip(f"engine {engine}: {error}")


@pytest.fixture(scope="session")
def docker_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Docker daemon with our small image, of this checkout; yields its address."""
    assert containers_wanted(request.session), "a test takes a container and is not marked"
    with or_skip("docker"), daemon("docker") as host:
        images.build(host, "python")
        yield host


@pytest.fixture(scope="session")
def gvisor_host(docker_host: str) -> str:
    """The same daemon, if it has gVisor."""
    with or_skip("gvisor"):
        if shutil.which("runsc", path=SEARCHED) is None:
            raise MissingError("runsc is not installed")
    return docker_host


@pytest.fixture(scope="session")
def podman_host(docker_host: str) -> Iterator[str]:
    """Podman's service with the image that was built on Docker."""
    with or_skip("podman"), daemon("podman") as host:
        images.copy(docker_host, host, "python")
        yield host


@pytest.fixture(scope="session")
def scipy_image(docker_host: str) -> str:
    """The name of our large image, which is on the Docker daemon."""
    images.build(docker_host, "scipy")
    return "sandbox-kernel/scipy"


def container_host(request: pytest.FixtureRequest, engine: str) -> str:
    """Return the address of the daemon of a container engine: "docker", "gvisor" or "podman"."""
    host: str = request.getfixturevalue(f"{engine}_host")
    return host
