"""How a run ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sandbox_kernel import __version__
from sandbox_kernel.errors import ExitCode


class Outcome(StrEnum):
    """The six ways in which a run can end, and (in files saved on the way) that it has not."""

    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    DEADLINE = "deadline"
    LIMIT = "limit"
    DIED = "died"
    CANCELLED = "cancelled"

    @property
    def exit_code(self) -> ExitCode:
        """What the command line exits with for this outcome."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.RUNNING: ExitCode.DIED,  # found in a file: whoever ran it is gone
    Outcome.OK: ExitCode.OK,
    Outcome.ERROR: ExitCode.CELL_ERROR,
    Outcome.DEADLINE: ExitCode.DEADLINE,
    Outcome.LIMIT: ExitCode.LIMIT,
    Outcome.DIED: ExitCode.DIED,
    Outcome.CANCELLED: ExitCode.CANCELLED,
}

_ENDS: dict[int, Outcome] = {
    int(outcome.exit_code): outcome for outcome in (Outcome.DEADLINE, Outcome.LIMIT, Outcome.CANCELLED)
}


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome and the sentence that explains it."""

    outcome: Outcome
    sentence: str
    cell: int | None = None
    """The code cell (counted from 1) in which the run ended early, or None."""

    @classmethod
    def from_exit_code(cls, code: int, sentence: str, cell: int | None = None) -> "Ending":
        """Return the ending that goes with the exit code of a sandbox's death.

        A kernel that left with `OK` in mid-run has died all the same: the notebook did not finish.
        """
        return cls(_ENDS.get(int(code), Outcome.DIED), sentence, cell)


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished run has to say."""

    outcome: Outcome
    sentence: str
    cell: int | None
    """The code cell (counted from 1) in which the run ended early, or None."""
    cells_run: int
    """Code cells that were started."""
    cells: int
    """Code cells that the notebook has."""
    kernel: str
    started: datetime
    duration: float
    """Seconds from asking for the kernel to the end of the last cell."""

    @property
    def exit_code(self) -> ExitCode:
        """What the command line exits with for this run."""
        return self.outcome.exit_code

    def metadata(self) -> dict[str, Any]:
        """Return what is stored in the notebook's metadata under `sandbox_kernel`."""
        return {
            "outcome": str(self.outcome),
            "message": self.sentence,
            "exit_code": int(self.exit_code),
            "cell": self.cell,
            "cells_run": self.cells_run,
            "cells": self.cells,
            "kernel": self.kernel,
            "started": self.started.astimezone(UTC).isoformat(timespec="milliseconds"),
            "duration": round(self.duration, 3),
            "version": __version__,
        }
