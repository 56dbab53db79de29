"""One sandbox for a file of tests."""

from collections.abc import Iterator

import pytest

from sandbox_kernel import Sandbox


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for all tests of a file; each leaves it usable."""
    with Sandbox(memory="256m") as sandbox:
        yield sandbox
