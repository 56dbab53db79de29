"""How a run ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sandbox_kernel import __version__
from sandbox_kernel.errors import ExitCode


class Outcome(StrEnum):
    """The eight ways in which a run can end, and (in files saved on the way) that it has not."""

    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    """A cell raised an error."""
    TIMEOUT = "timeout"
    """A deadline passed: a cell's, the notebook's, the session's."""
    MEMORY = "memory"
    """The sandbox was killed for the memory that it used."""
    LIMIT = "limit"
    """Another limit of the policy ended the run."""
    CANCELLED = "cancelled"
    """Somebody ended it: Ctrl-C, a signal, `sandbox-kernel stop`."""
    DIED = "died"
    """The kernel ended itself or crashed, as its code will have it again."""
    LOST = "lost"
    """What the kernel stood on went away, or it did not start: no doing of the code's; a retry may help."""

    @property
    def exit_code(self) -> ExitCode:
        """What the command line exits with for this outcome."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.RUNNING: ExitCode.DIED,  # found in a file: whoever ran it is gone
    Outcome.OK: ExitCode.OK,
    Outcome.ERROR: ExitCode.CELL_ERROR,
    Outcome.TIMEOUT: ExitCode.DEADLINE,
    Outcome.MEMORY: ExitCode.LIMIT,
    Outcome.LIMIT: ExitCode.LIMIT,
    Outcome.CANCELLED: ExitCode.CANCELLED,
    Outcome.DIED: ExitCode.DIED,
    Outcome.LOST: ExitCode.DIED,
}

_ENDS = {
    "memory": Outcome.MEMORY,
    "deadline": Outcome.TIMEOUT,
    "limit": Outcome.LIMIT,
    "stopped": Outcome.CANCELLED,
    "cancelled": Outcome.CANCELLED,
    "lost": Outcome.LOST,
}
"""What kinds of death, in a provisioner's words, mean; any other is a kernel that died."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome and the sentence that explains it."""

    outcome: Outcome
    sentence: str
    cell: int | None = None
    """The code cell (counted from 1) in which the run ended early, or None."""

    @classmethod
    def from_kind(cls, kind: str, sentence: str, cell: int | None = None) -> "Ending":
        """Return the ending that goes with what a guard did: the kind of a death, or of a notice.

        A kernel that left as it should in mid-run has died all the same: the notebook did not finish.
        """
        return cls(_ENDS.get(kind, Outcome.DIED), sentence, cell)

    @classmethod
    def of_start(cls, kind: str, sentence: str) -> "Ending":
        """Return the ending of a run whose kernel did not start, with the kind of its death.

        None of the notebook's code has run yet, so whatever failed is not its doing.
        """
        return cls(_ENDS.get(kind, Outcome.LOST), sentence)


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
