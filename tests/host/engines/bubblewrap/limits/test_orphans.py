"""Groups that a killed host process left behind are found, and no living launch's."""

import secrets

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits import orphans, plan_limits
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.limits.waiting import waiting


@pytest.fixture
def launched():
    """A launch, its process still waiting, and the groups it is in (none where there is a watchdog)."""
    with waiting() as process:
        applied = plan_limits(Policy()).apply(process.pid, secrets.token_hex(8))
        yield process, applied
        applied.release()


def test_a_living_launch_s_groups_are_not_orphans(launched):
    """What holds a process is in use."""
    assert not set(launched[1].paths()) & set(orphans(young=0))


def test_emptied_groups_are_orphans_once_they_are_not_young(launched):
    """Without a process they are found, but not while a launch might be about to use them."""
    process, applied = launched
    process.kill()
    process.wait()
    assert set(applied.paths()) <= set(orphans(young=0))
    assert not set(applied.paths()) & set(orphans())
    applied.release()
    assert not set(applied.paths()) & set(orphans(young=0))
