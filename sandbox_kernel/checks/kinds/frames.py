"""The condition on a data frame: its columns, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sandbox_kernel.checks.comparing import MOST_PAIRS, count, difference
from sandbox_kernel.checks.fields import Fields, named
from sandbox_kernel.checks.kinds.variables import Variable, read_name, read_tolerance
from sandbox_kernel.checks.plain import plain
from sandbox_kernel.checks.values import Column, Tolerance, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEquals(Variable):
    """A variable is a pandas DataFrame with these columns; its index does not matter."""

    KEYS = (
        "variable",
        "columns",
        "abs_tolerance",
        "rel_tolerance",
        "dtypes",
        "ignore_row_order",
        "ignore_column_order",
    )
    _what = "data frame"

    columns: dict[Any, list[Any]]
    tolerance: Tolerance
    dtypes: dict[str, str]
    any_row_order: bool
    any_column_order: bool

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        columns = plain(fields, "columns")
        if not isinstance(columns, dict) or not all(isinstance(cells, list) for cells in columns.values()):
            raise fields.refuse("'columns' has to be a mapping of columns' names to lists of their cells.")
        if len({len(cells) for cells in columns.values()}) > 1:
            raise fields.refuse("'columns' has columns of different lengths.")
        dtypes = fields.mapping("dtypes", {})
        for name, dtype in dtypes.items():
            if name not in columns:
                raise fields.refuse(f"'dtypes' names {name[:60]!r}, which is not among 'columns'.")
            if not isinstance(dtype, str) or not dtype:
                raise fields.refuse(f"'dtypes' says {named(dtype)} of {name[:60]!r}; it has to be a text.")
        return cls(
            name=read_name(fields),
            columns=columns,
            tolerance=read_tolerance(fields),
            dtypes=dict(dtypes),
            any_row_order=fields.flag("ignore_row_order"),
            any_column_order=fields.flag("ignore_column_order"),
        )

    @property
    def expected(self) -> str:
        """What is expected."""
        return repr(self.columns)

    def _flaw(self, value: Value) -> str | None:
        if value.form != "frame":
            return f"{self.name} is no DataFrame, but {value}"
        if value.is_withheld:
            return f"{self.name} is {value}, which is too large to be compared"
        return self._unlike_columns(value.content) or self._unlike_rows(value.content)

    def _unlike_columns(self, columns: Sequence[Column]) -> str | None:
        labels = [column.label for column in columns]
        if len(labels) != len(self.columns):
            return f"{self.name} has {count(len(labels), 'column')}"
        if self.any_column_order:
            strange = [label for label in labels if not any(_is(wanted, label) for wanted in self.columns)]
            lacking = [wanted for wanted in self.columns if not any(_is(wanted, label) for label in labels)]
            if lacking:
                return (
                    f"{self.name} has other columns, such as {strange[0]}"
                    if strange
                    else f"{self.name} lacks a column"
                )
            return None
        for wanted, label in zip(self.columns, labels, strict=True):
            if not _is(wanted, label):
                return f"{self.name} has the column {label} where another is expected"
        return None

    def _unlike_rows(self, columns: Sequence[Column]) -> str | None:
        pairs = [(wanted, self._column(wanted, columns)) for wanted in self.columns]
        for wanted, column in pairs:
            if len(column.cells) != len(self.columns[wanted]):
                return f"{self.name} has {count(len(column.cells), 'row')}"
            if wanted in self.dtypes and column.dtype != self.dtypes[wanted]:
                return f"{self.name}[{column.label}] is of the type {column.dtype}"
        if self.any_row_order:
            return self._unlike_in_any_order([column for _, column in pairs])
        for wanted, column in pairs:
            for number, (expected, cell) in enumerate(zip(self.columns[wanted], column.cells, strict=True)):
                if sentence := self._unlike(expected, cell, f"{self.name}[{column.label}][{number}]"):
                    return sentence
        return None

    def _column(self, wanted: object, columns: Sequence[Column]) -> Column:
        return next(column for column in columns if _is(wanted, column.label))

    def _unlike_in_any_order(self, columns: Sequence[Column]) -> str | None:
        left = list(zip(*(column.cells for column in columns), strict=True))
        if len(left) ** 2 > MOST_PAIRS:
            return f"{self.name} is too large to be compared in any order"
        for expected in zip(*self.columns.values(), strict=True):
            found = next((number for number, row in enumerate(left) if self._is_row(expected, row)), None)
            if found is None:
                return f"{self.name} lacks a row"
            del left[found]
        return None

    def _is_row(self, expected: Sequence[Any], row: Sequence[Value]) -> bool:
        return all(self._unlike(one, cell, "") is None for one, cell in zip(expected, row, strict=True))

    def _unlike(self, expected: Any, cell: Value, name: str) -> str | None:
        """Compare one cell; what is missing is missing, whether it is written as null or as .nan."""
        if _is_missing(expected) and (
            cell.form == "none" or (cell.form == "number" and _is_missing(cell.content))
        ):
            return None
        return difference(expected, cell, self.tolerance, name)


def _is(wanted: object, label: Value) -> bool:
    return difference(wanted, label) is None


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
