"""How a run ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from nbformat import NotebookNode

from sandbox_kernel import __version__
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.notebooks.artifacts import Artifact


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
class CellRecord:
    """How one cell of a run fared."""

    number: int
    """Its place among the code cells, from 1."""
    index: int
    """Its place among all cells of the notebook, from 0."""
    outcome: Outcome
    """`error` also where errors are allowed."""
    duration: float
    """Seconds."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "number": self.number,
            "index": self.index,
            "outcome": str(self.outcome),
            "duration_seconds": round(self.duration, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished run has to say."""

    outcome: Outcome
    sentence: str
    """The cause of the outcome, in words."""
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
    records: tuple[CellRecord, ...] = ()
    """Of the cells that were started, in their order."""
    artifacts: tuple[Artifact, ...] = ()
    """The files that the code has left in $SANDBOX_ARTIFACTS, where that was asked for."""
    left_out: tuple[str, ...] = ()
    """A sentence on each artifact that was not brought out, or on why none was."""
    cpu_seconds: float | None = None
    """CPU time of the whole sandbox; None where nobody has counted."""
    peak_memory: int | None = None
    """Bytes that the whole sandbox has used at most; None where nobody has counted."""
    input_sha256: str = ""
    """Of what was to run, as `document.input_digest` has it: whatever an earlier run has left."""
    output_sha256: str = ""
    """Of the executed notebook as it was saved last, or would have been."""
    notebook: NotebookNode = field(default_factory=NotebookNode, compare=False, repr=False)
    """The executed notebook, with its outputs as they are saved; no part of `to_json`."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the results come from (engine, image, policy and its digest, …), as the provisioner says it."""

    @property
    def exit_code(self) -> ExitCode:
        """What the command line exits with for this run."""
        return self.outcome.exit_code

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it, for programs: with units in the names."""
        return {
            "outcome": str(self.outcome),
            "message": self.sentence,
            "exit_code": int(self.exit_code),
            "cell": self.cell,
            "cells_run": self.cells_run,
            "cells_total": self.cells,
            "cells": [record.to_json() for record in self.records],
            "kernel": self.kernel,
            "started": moment(self.started),
            "duration_seconds": round(self.duration, 3),
            "cpu_seconds": self.cpu_seconds,
            "peak_memory_bytes": self.peak_memory,
            "artifacts": [artifact.to_json() for artifact in self.artifacts],
            "artifacts_left_out": list(self.left_out),
            "input_sha256": self.input_sha256,
            "output_sha256": self.output_sha256,
            "provenance": dict(self.provenance),
            "version": __version__,
        }

    def metadata(self) -> dict[str, Any]:
        """Return what is stored in the notebook's metadata under `sandbox_kernel`."""
        stored = {
            "outcome": str(self.outcome),
            "message": self.sentence,
            "exit_code": int(self.exit_code),
            "cell": self.cell,
            "cells_run": self.cells_run,
            "cells": self.cells,
            "kernel": self.kernel,
            "started": moment(self.started),
            "duration": round(self.duration, 3),
            "version": __version__,
            "input_sha256": self.input_sha256,
        }
        if self.artifacts or self.left_out:
            stored["artifacts"] = [artifact.to_json() for artifact in self.artifacts]
            stored["artifacts_left_out"] = list(self.left_out)
        return stored | ({"provenance": dict(self.provenance)} if self.provenance else {})


def moment(time: datetime) -> str:
    """Return a time as results and notebooks have it: ISO 8601, in UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
