"""A short flood, for what does not depend on the machine's speed."""

import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import Policy
from tests.benchmarks.flood import flood


@pytest.fixture
def bubblewrap():
    try:
        BubblewrapEngine().check(Policy())
    except SandboxError as error:
        pytest.skip(f"engine bubblewrap: {error}")


@pytest.mark.timeout(300)
def test_a_flood_is_survived(bubblewrap, no_leftovers):
    """Three floods at once: the host's memory stays in bounds, no disk is used, others get their answers."""
    figures = flood(3, 4)
    assert figures.flooded
    assert figures.memory_most - figures.memory_before < figures.bound
    assert figures.disk <= 0
