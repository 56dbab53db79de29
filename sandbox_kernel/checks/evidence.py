"""What a submission has done, as plain data: all that is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox_kernel.checks.values import Value

CallEnd = Literal["returned", "raised", "missing", "not callable", "unanswered"]


@dataclass(frozen=True, slots=True)
class Error:
    """An exception that ended a cell, as the cell's output names it."""

    name: str
    text: str = ""

    def __str__(self) -> str:
        """Return both on one line, cut to a readable length: they come from the submission."""
        lines = f"{self.name}: {self.text}".strip().removesuffix(":").splitlines()
        return lines[0][:200] if lines else "an error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A code cell that was run; a script is one."""

    number: int
    """Among the submission's code cells, from 1."""
    tags: frozenset[str] = frozenset()
    stdout: str = ""
    stderr: str = ""
    results: tuple[str, ...] = ()
    """What it displayed, as text: the value of its last line, too."""
    pictures: tuple[bytes, ...] = ()
    """What it displayed with the type image/png."""
    error: Error | None = None
    is_cut: bool = False
    """Whether some of what it said was dropped, at a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How a call of one of the submission's functions ended."""

    end: CallEnd
    value: Value | None = None
    classes: tuple[str, ...] = ()
    """Of what was raised: the names of its class and of those that it is derived from, with modules."""
    said: str = ""
    """What the exception says, or why there was no answer."""
    inside: bool = True
    """Whether it was raised in the function, and not because the arguments do not fit."""
    stdout: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a submission has done."""

    cells: tuple[Ran, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)
    """Those of the variables asked for that are there."""
    calls: Mapping[int, Called] = field(default_factory=dict)
    """By the number of their check in its file, from 0."""
