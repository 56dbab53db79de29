"""Workers on kernels that are there everywhere."""

from collections.abc import Iterator

import pytest

from sandbox_kernel.bench.subjects import PLAIN, SANDBOXES, Scratch, scratch
from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import Policy


@pytest.fixture
def bubblewrap() -> str:
    """The name of the engine, where it is."""
    try:
        BubblewrapEngine().check(Policy())
    except SandboxError as error:
        pytest.skip(f"engine bubblewrap: {error}")
    return "bubblewrap"


@pytest.fixture
def place() -> Iterator[Scratch]:
    """A scratch directory with the plain kernel and all sandboxed ones."""
    with scratch(PLAIN, *SANDBOXES.values()) as made:
        yield made
