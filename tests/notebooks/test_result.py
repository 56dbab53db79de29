"""How a run ended."""

import pytest

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.result import Ending


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (ExitCode.OK, Outcome.DIED),
        (ExitCode.CELL_ERROR, Outcome.DIED),
        (ExitCode.DEADLINE, Outcome.DEADLINE),
        (ExitCode.CANCELLED, Outcome.CANCELLED),
        (ExitCode.LIMIT, Outcome.LIMIT),
        (ExitCode.DIED, Outcome.DIED),
        (77, Outcome.DIED),
    ],
)
def test_death_in_mid_run(code: int, outcome: Outcome) -> None:
    """A kernel that is gone in mid-run never ends it well, whatever its death says."""
    assert Ending.from_exit_code(code, "x").outcome is outcome


def test_every_outcome_has_an_exit_code() -> None:
    """The outcomes and the exit codes for them are the documented ones."""
    codes = {outcome.value: int(outcome.exit_code) for outcome in Outcome if outcome is not Outcome.RUNNING}
    assert codes == {"ok": 0, "error": 1, "deadline": 124, "limit": 137, "died": 138, "cancelled": 130}
