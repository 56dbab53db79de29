"""How a run ended."""

from typing import get_args

import pytest

from sandbox_kernel.host.deaths import Kind
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.result import Ending

KINDS = {
    "memory": Outcome.MEMORY,
    "deadline": Outcome.TIMEOUT,
    "limit": Outcome.LIMIT,
    "stopped": Outcome.CANCELLED,
    "cancelled": Outcome.CANCELLED,
    "lost": Outcome.LOST,
}


@pytest.mark.parametrize("kind", [*get_args(Kind), "a kind that nobody has heard of"])
def test_death_in_mid_run(kind: str) -> None:
    """A kernel that is gone in mid-run never ends it well, whatever its death says."""
    assert Ending.from_kind(kind, "x").outcome is KINDS.get(kind, Outcome.DIED)


@pytest.mark.parametrize("kind", [*get_args(Kind), "a kind that nobody has heard of"])
def test_failed_start(kind: str) -> None:
    """A start that fails is nobody's doing whose code has not run yet, so a retry may mend it."""
    assert Ending.of_start(kind, "x").outcome is KINDS.get(kind, Outcome.LOST)


def test_every_outcome_has_an_exit_code() -> None:
    """The outcomes and the exit codes for them are the documented ones."""
    codes = {outcome.value: int(outcome.exit_code) for outcome in Outcome if outcome is not Outcome.RUNNING}
    limits = {"timeout": 124, "memory": 137, "limit": 137}
    assert codes == {"ok": 0, "error": 1, **limits, "cancelled": 130, "died": 138, "lost": 138}
