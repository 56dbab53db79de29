"""What every kind of check has in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from sandbox_kernel.checks.evidence import Error, Evidence, Ran
from sandbox_kernel.checks.fields import Fields


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a submission's function, with arguments that go in; what it has to return does not."""

    function: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    timeout: float | None = None

    def __str__(self) -> str:
        """Return it as Python writes it."""
        given = [*map(repr, self.arguments), *(f"{name}={value!r}" for name, value in self.keywords.items())]
        text = f"{self.function}({', '.join(given)})"
        return text if len(text) <= 80 else f"{text[:79]}…"


class Condition(ABC):
    """One condition that a submission meets or misses."""

    KEYS: ClassVar[tuple[str, ...]]
    """The keys that it has in a CHECKS file, beside those of all."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What a check is called that has no name; it gives nothing away."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What is expected, for those who may know."""

    @property
    def variable(self) -> str | None:
        """The variable that has to be known, if one has."""
        return None

    @property
    def call(self) -> Call | None:
        """The call that has to be made, if one has."""
        return None

    @property
    def needs_kernel(self) -> bool:
        """Whether it looks at what only a kernel shows: figures, and the value of the last line."""
        return False

    def permits(self, cell: Ran, error: Error) -> bool:  # noqa: ARG002 - most permit none
        """Tell whether this error of this cell is what was asked for, so that the submission goes on."""
        return False

    @abstractmethod
    def miss(self, evidence: Evidence, number: int) -> str | None:
        """Return why the condition is not met, None if it is.

        :param number: the check's, under which the evidence has what its call came to.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Which of a submission's code cells are meant: the one of a number, those with a tag, or all."""

    cell: int | str | None = None

    @classmethod
    def read(cls, fields: Fields) -> "Place":
        """Return what `cell` says. :raises ChecksError: it is neither a number nor a tag."""
        if "cell" not in fields:
            return cls()
        cell = fields.plain("cell")
        if isinstance(cell, str) and cell:
            return cls(cell)
        return cls(fields.whole("cell", least=1))

    def __str__(self) -> str:
        """Return it for a title: "", " of cell 2", " of the cells tagged 'plot'"."""
        match self.cell:
            case None:
                return ""
            case int(number):
                return f" of cell {number}"
        return f" of the cells tagged {self.cell!r}"

    @property
    def none(self) -> str:
        """What is said where no cell is meant; of a number in quotes, which is a tag, what else was meant."""
        if not isinstance(self.cell, str):
            return "there is no such cell"
        said = f"no cell is tagged {self.cell[:60]!r}"
        if not self.cell.isdecimal():
            return said
        return f"{said} (a check names a cell by its number without quotes, {int(self.cell[:9])})"

    def covers(self, cell: Ran) -> bool:
        """Tell whether a cell is meant."""
        match self.cell:
            case None:
                return True
            case int(number):
                return cell.number == number
        return self.cell in cell.tags

    def among(self, cells: Iterable[Ran]) -> list[Ran]:
        """Return those that are meant."""
        return [cell for cell in cells if self.covers(cell)]
