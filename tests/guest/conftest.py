"""Guests with real kernels."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.driver import AS_PID_1, Host, guest


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="sk-guest-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Likewise, for one test."""
    path = Path(tempfile.mkdtemp(prefix="sk-guest-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def host(place: Path) -> Iterator[Host]:
    """A ready kernel that the tests of a module share; none of them may harm it."""
    with guest(place, *AS_PID_1) as host:
        yield host


@pytest.fixture
def own(directory: Path) -> Iterator[Host]:
    """A ready kernel for one test, which may kill it."""
    with guest(directory, *AS_PID_1) as host:
        yield host


@pytest.fixture
def unstarted(directory: Path) -> Iterator[Host]:
    """A guest that waits for its order."""
    with guest(directory, *AS_PID_1, ready=False) as host:
        yield host
