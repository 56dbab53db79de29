"""When a cell or a whole session has run long enough, and what then.

Interrupt first, so that the user keeps the kernel's state; if that has not helped within
GRACE seconds, the end. Times are monotonic: a clock that is set does not matter.
"""

import enum
from dataclasses import dataclass, field

from sandbox_kernel.policy import Policy

GRACE = 5.0
"""Seconds between the interrupt and the end: `finally` blocks need time, loops that swallow do not."""


class Verdict(enum.Enum):
    """What is to be done now."""

    INTERRUPT = enum.auto()
    END = enum.auto()


@dataclass(slots=True)
class _Clock:
    """One deadline that runs."""

    allowed: float
    what: str
    begun: float
    interrupted: bool = False

    @property
    def due(self) -> float:
        return self.begun + self.allowed + (GRACE if self.interrupted else 0.0)

    def sentence(self) -> str:
        return f"The deadline of {self.allowed:g} s for {self.what} passed."


@dataclass(slots=True)
class Deadlines:
    """The deadlines of one sandbox; feed it the running request and the time."""

    policy: Policy
    passed: str | None = None
    """What the user is to be told about the last verdict."""
    _session: _Clock | None = None
    _cell: _Clock | None = None
    _running: str | None = field(default=None)

    def begin(self, now: float) -> None:
        """Start the session's clock."""
        if self.policy.session_timeout is not None:
            self._session = _Clock(self.policy.session_timeout, "this session", now)

    def observe(self, running: str | None, now: float) -> None:
        """Note which request runs; a new one starts the cell's clock."""
        if running == self._running:
            return
        self._running = running
        allowed = self.policy.cell_timeout
        self._cell = _Clock(allowed, "a cell", now) if running and allowed is not None else None

    def next_due(self) -> float | None:
        """Return the time of the next verdict, None if there will be none."""
        return min((clock.due for clock in (self._session, self._cell) if clock), default=None)

    def verdict(self, now: float) -> Verdict | None:
        """Return what is due, once."""
        for clock in (self._session, self._cell):
            if clock and now >= clock.due:
                self.passed = clock.sentence()
                if clock.interrupted:
                    return Verdict.END
                clock.interrupted = True
                return Verdict.INTERRUPT
        return None
