"""What became of each run of a batch, and of the batch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sandbox_kernel.batches.figures import Figure
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.notebooks import Outcome, Result
from sandbox_kernel.notebooks.artifacts import Artifact


class Left(StrEnum):
    """Why a batch did not run a notebook."""

    UNCHANGED = "unchanged"
    """An earlier batch did, it ended well, and nothing that it was made of has changed."""
    REFUSED = "refused"
    """It cannot be read, its result cannot be written, or no kernel may run it."""
    NOT_RUN = "not run"
    """The batch was over before its turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of a batch, when it is over."""

    job: Job
    status: Outcome | Left
    sentence: str
    cell: int | None = None
    """The code cell (counted from 1) in which the run ended early, or None."""
    cells_run: int = 0
    cells: int = 0
    started: datetime | None = None
    duration: float = 0.0
    """Seconds of the last attempt."""
    cpu_seconds: float | None = None
    """CPU time of its sandbox; None where nobody has counted."""
    peak_memory: int | None = None
    """Bytes that its sandbox used at most; None where nobody has counted."""
    artifacts: tuple[Artifact, ...] = ()
    """The files that its code has left for us."""
    artifacts_in: Path | None = None
    """The folder that they are in; None: nobody wanted any."""
    failures: tuple[str, ...] = ()
    """Why each attempt before the last one came to nothing."""
    away: bool = False
    """Whether nothing ran for want of an engine that was there before, as it would be for any other run."""
    figures: tuple[Figure, ...] = ()
    figures_left_out: int = 0

    @classmethod
    def of(cls, job: Job, result: Result) -> "Record":
        """Return the record of a run that ended."""
        return cls(
            job=job,
            status=result.outcome,
            sentence=result.sentence,
            cell=result.cell,
            cells_run=result.cells_run,
            cells=result.cells,
            started=result.started,
            duration=result.duration,
            cpu_seconds=result.cpu_seconds,
            peak_memory=result.peak_memory,
        )

    @property
    def good(self) -> bool:
        """Whether its result is there, and what was wanted."""
        return self.status in (Outcome.OK, Left.UNCHANGED)

    @property
    def exit_code(self) -> ExitCode:
        """What a run of this notebook alone exits with."""
        if isinstance(self.status, Outcome):
            return self.status.exit_code
        return _EXIT_CODES[self.status]


_EXIT_CODES = {
    Left.UNCHANGED: ExitCode.OK,
    Left.REFUSED: ExitCode.USAGE,
    Left.NOT_RUN: ExitCode.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A batch that is over."""

    records: tuple[Record, ...]
    """One for each run of the plan, in its order."""
    started: datetime
    duration: float
    at_once: int
    """How many notebooks ran at the same time, at most."""
    stopped: str | None = None
    """Why the batch ended before all had their turn; None: it did not."""
    stopped_code: ExitCode | None = None

    @property
    def exit_code(self) -> ExitCode:
        """Return 0 if all is well, the code of whatever stopped the batch, or the failures' common code.

        Where failures are of several kinds, it is that of a cell that raised: 1.
        """
        if self.stopped_code is not None:
            return self.stopped_code
        codes = {record.exit_code for record in self.records if not record.good}
        codes = codes - {ExitCode.CANCELLED} or codes  # what was cancelled for another's sake says nothing
        if not codes:
            return ExitCode.OK
        return codes.pop() if len(codes) == 1 else ExitCode.CELL_ERROR

    def counts(self) -> dict[str, int]:
        """Return how many records there are of each status, the good ones first."""
        order = [Outcome.OK, Left.UNCHANGED, *Outcome, *Left]
        found = [str(record.status) for record in self.records]
        return {str(status): found.count(str(status)) for status in order if str(status) in found}
