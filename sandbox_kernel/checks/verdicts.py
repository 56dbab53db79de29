"""What is said of a submission: a verdict on each check, a sum, and how its run ended."""

from dataclasses import dataclass

from sandbox_kernel.checks.evidence import Evidence
from sandbox_kernel.checks.suite import Check, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """On one check."""

    name: str
    kind: str
    passed: bool
    points: float
    most: float
    reason: str
    """In words that do not tell what was expected, unless the check says that it may be told."""
    message: str | None = None
    """The teacher's, where the check failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One submission, judged."""

    submission: str
    outcome: str
    """How its run ended: "ok", "error", "timeout" …; "unusable" where there was nothing to run."""
    cause: str
    """The same in words."""
    verdicts: tuple[Verdict, ...]
    duration: float = 0.0
    was_run: bool = True
    """False where no sandbox could be had for it: that is nobody's fault but ours, and says nothing of it."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.was_run and all(verdict.passed for verdict in self.verdicts)

    @property
    def points(self) -> float:
        """What it has earned."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def most(self) -> float:
        """What it could have earned."""
        return sum(verdict.most for verdict in self.verdicts)


def judge(suite: Suite, evidence: Evidence) -> tuple[Verdict, ...]:
    """Return the verdicts on a submission that ran as it should. A pure function: nothing runs here."""
    return tuple(_judged(check, evidence, number) for number, check in enumerate(suite.checks))


def all_failed(suite: Suite, reason: str) -> tuple[Verdict, ...]:
    """Return the verdicts on a submission that did not come to its end: whatever it has done, it fails."""
    return tuple(_verdict(check, reason) for check in suite.checks)


def _judged(check: Check, evidence: Evidence, number: int) -> Verdict:
    miss = check.condition.miss(evidence, number)
    if miss is not None and check.show_expected:
        miss = f"{miss}; expected: {check.condition.expected[:200]}"
    return _verdict(check, miss)


def _verdict(check: Check, miss: str | None) -> Verdict:
    return Verdict(
        name=check.name,
        kind=check.kind,
        passed=miss is None,
        points=check.points if miss is None else 0,
        most=check.points,
        reason="as expected" if miss is None else miss,
        message=None if miss is None else check.message,
    )
