"""Which runs are tried again, and when.

Only what says nothing about the notebook: a kernel that did not start, or whose machine or daemon was
lost. What the code did (an error, a crash, a limit, a deadline) it would do again.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from sandbox_kernel.batches.record import Record
from sandbox_kernel.notebooks import Outcome

AWAY: Final = 10
"""How many times longer an engine that has gone away is waited for: a daemon's restart takes seconds."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after how long."""

    times: int = 2
    first: float = 1.0
    """Seconds before the second attempt, on average; twice as long before each one after it."""
    longest: float = 60.0
    dice: random.Random = field(default_factory=random.Random)
    """Spreads attempts, so that runs which failed together do not come back together."""

    def pause(self, record: Record, attempt: int) -> float | None:
        """Return how long to wait after an attempt, counted from 1; None: it was the last one."""
        if attempt > self.times or not says_nothing(record):
            return None
        seconds = self.first * 2.0 ** (attempt - 1) * (AWAY if record.away else 1)
        return min(self.longest, seconds) * self.dice.uniform(0.5, 1.5)


def says_nothing(record: Record) -> bool:
    """Tell whether a run ended for a reason that is not its notebook's."""
    return record.status is Outcome.LOST or (record.status is Outcome.DIED and record.cells_run == 0)
