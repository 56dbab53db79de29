"""When a cell, an idle kernel or a whole session has lasted long enough, and what then.

Interrupt first, so that the user keeps the kernel's state; if that has not helped within
GRACE seconds, the end. An idle kernel has nothing to interrupt. Times are monotonic: a clock
that is set does not matter.
"""

import enum
from collections.abc import Iterable

from msgspec import Struct, field

from sandbox_kernel.policy import PROFILES, Policy, format_seconds

GRACE = 5.0
"""Seconds between the interrupt and the end: `finally` blocks need time, loops that swallow do not."""


class Verdict(enum.Enum):
    """What is to be done now."""

    INTERRUPT = enum.auto()
    END = enum.auto()


class Due(Struct, frozen=True):
    """A deadline that has passed."""

    verdict: Verdict
    sentence: str
    """What the user is to be told."""
    cell: str | None = None
    """The id of the cell that it was for, None if for the whole kernel."""


class _Clock(Struct):
    """One deadline that runs."""

    allowed: float
    what: str
    setting: str
    """What has it so, for people."""
    begun: float
    cell: str | None = None
    verdict: Verdict = Verdict.INTERRUPT

    @property
    def due(self) -> float:
        return self.begun + self.allowed

    def pass_(self) -> Due:
        """Return what is due, and run on to what will be due next."""
        sentence = f"The deadline of {format_seconds(self.allowed)} for {self.what} passed ({self.setting})."
        due = Due(self.verdict, sentence, self.cell)
        self.verdict = Verdict.END
        self.begun += GRACE
        return due


class Deadlines(Struct):
    """The deadlines of one sandbox; feed it the running cells, the clients' requests and the time."""

    policy: Policy
    _session: _Clock | None = None
    _idle: _Clock | None = None
    _cells: dict[str, _Clock] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Start the clocks of the session and of idling."""
        self._session = self._clock("session_timeout", "this session", now)
        self._idle = self._clock("idle_timeout", "a kernel that nobody uses", now, verdict=Verdict.END)

    def asked(self, now: float) -> None:
        """Note that a client wants something of the kernel."""
        if self._idle:
            self._idle.begun = now

    def observe(self, running: Iterable[str], now: float) -> None:
        """Note which cells run; each new one has a clock of its own."""
        clocks, self._cells = self._cells, {}
        for cell in running:
            self.asked(now)
            if clock := clocks.get(cell) or self._clock("cell_timeout", "a cell", now, cell):
                self._cells[cell] = clock

    def _clock(
        self, name: str, what: str, now: float, cell: str | None = None, verdict: Verdict = Verdict.INTERRUPT
    ) -> _Clock | None:
        """Return a clock for the policy's deadline of that name, None if there is none.

        Its setting is named, and the profile where that has set it: who chose one may not know its deadlines.
        """
        allowed = getattr(self.policy, name)
        if allowed is None:
            return None
        own = PROFILES[self.policy.profile].get(name) == allowed
        setting = f"'{name}' of the profile {self.policy.profile}" if own else f"'{name}'"
        return _Clock(allowed, what, setting, now, cell, verdict)

    def next_due(self) -> float | None:
        """Return the time of the next verdict, None if there will be none."""
        return min((clock.due for clock in self._running()), default=None)

    def verdict(self, now: float) -> Due | None:
        """Return what is due, once."""
        passed = next((clock for clock in self._running() if now >= clock.due), None)
        return passed.pass_() if passed else None

    def _running(self) -> Iterable[_Clock]:
        return (clock for clock in (self._session, self._idle, *self._cells.values()) if clock)
