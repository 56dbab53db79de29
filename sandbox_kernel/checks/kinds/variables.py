"""Conditions on what a submission's variables hold at its end."""

import keyword
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from sandbox_kernel.checks.comparing import MOST_PAIRS, count, difference, missing, pairs
from sandbox_kernel.checks.evidence import Evidence
from sandbox_kernel.checks.fields import Fields
from sandbox_kernel.checks.kinds.condition import Condition
from sandbox_kernel.checks.plain import plain
from sandbox_kernel.checks.values import Tolerance, Value


def read_tolerance(fields: Fields) -> Tolerance:
    """Return how exact a number has to be. :raises ChecksError: it is not usable."""
    return Tolerance(fields.number("abs_tolerance", 0.0), fields.number("rel_tolerance", 0.0))


def read_name(fields: Fields, key: str = "variable") -> str:
    """Return the name of a variable or function. :raises ChecksError: it cannot be one."""
    name = fields.text(key)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise fields.refuse(f"{key!r} is {name[:60]!r}, which is no name of Python's.")
    return name


@dataclass(frozen=True, slots=True)
class Variable(Condition):
    """Something about one variable."""

    name: str

    @property
    def title(self) -> str:
        """What it is called without a name."""
        return f"{self.name}: {self._what}"

    @property
    def variable(self) -> str:
        """The variable that has to be known."""
        return self.name

    @property
    @abstractmethod
    def _what(self) -> str:
        """What is checked, in a word."""

    def miss(self, evidence: Evidence, number: int) -> str | None:  # noqa: ARG002
        """Return why it is not met."""
        value = evidence.variables.get(self.name)
        return f"there is no variable {self.name}" if value is None else self._flaw(value)

    @abstractmethod
    def _flaw(self, value: Value) -> str | None:
        """Return what is wrong with the variable's value."""


@dataclass(frozen=True, slots=True)
class Exists(Variable):
    """There is such a variable."""

    KEYS = ("variable",)
    _what = "exists"
    expected = "any value"

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        return cls(read_name(fields))

    def _flaw(self, value: Value) -> str | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class HasType(Variable):
    """A variable is of one of some types, and not of one that is derived from it."""

    KEYS = ("variable", "type")
    _what = "type"

    types: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        return cls(read_name(fields), fields.class_names("type"))

    @property
    def expected(self) -> str:
        """What is expected."""
        return " or ".join(self.types)

    def _flaw(self, value: Value) -> str | None:
        if any(has_type(value, wanted) for wanted in self.types):
            return None
        of = value.type.removeprefix("__main__.").removeprefix("builtins.")
        return f"{self.name} is of another type, {of}" + ", a class" * (value.form == "object")


_ALIASES = {"None": "NoneType", "pandas.NaT": "pandas.NA"}


def has_type(value: Value, wanted: str) -> bool:
    """Tell whether a value's type is the wanted one: "int", "numpy.ndarray" or "ndarray", "Stack".

    The name of a class that was not told by identity is whatever the submission gave it: it is
    looked for in the module where it says to be, and never taken for a type that is told by identity.
    """
    wanted = _ALIASES.get(wanted, wanted)
    if value.form != "object":
        return wanted in (value.type, value.type.rpartition(".")[2])
    return wanted not in _BY_IDENTITY and wanted in (
        value.type,
        value.type.removeprefix("builtins."),
        value.type.removeprefix("__main__."),
    )


_LIBRARY_TYPES = (
    *("collections.OrderedDict", "collections.defaultdict", "collections.Counter", "collections.deque"),
    *("datetime.datetime", "datetime.date", "datetime.time", "fractions.Fraction", "decimal.Decimal"),
    *("numpy.ndarray", "pandas.Series", "pandas.Timestamp", "pandas.DataFrame"),
)
_BY_IDENTITY = frozenset(
    [
        *("NoneType", "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "set", "frozenset"),
        *("range", "dict", *_LIBRARY_TYPES),
        *(name.rpartition(".")[2] for name in _LIBRARY_TYPES),
    ]
)
"""Types that `inside` tells by identity: who calls a class of their own so has not made one of these."""


@dataclass(frozen=True, slots=True)
class HasValue(Variable):
    """A variable has a value."""

    KEYS = ("variable", "equals", "abs_tolerance", "rel_tolerance")
    _what = "value"

    value: Any
    tolerance: Tolerance

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        return cls(read_name(fields), plain(fields, "equals"), read_tolerance(fields))

    @property
    def expected(self) -> str:
        """What is expected."""
        return repr(self.value)

    def _flaw(self, value: Value) -> str | None:
        return difference(self.value, value, self.tolerance, self.name)


@dataclass(frozen=True, slots=True)
class ListContains(Variable):
    """A list has these items, wherever, and so many of each."""

    KEYS = ("variable", "items", "abs_tolerance", "rel_tolerance")
    _what = "items"

    items: list[Any]
    tolerance: Tolerance

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        if not fields.items("items"):
            raise fields.refuse("'items' is an empty list, which every list contains.")
        return cls(read_name(fields), plain(fields, "items"), read_tolerance(fields))

    @property
    def expected(self) -> str:
        """What is expected."""
        return repr(self.items)

    def _flaw(self, value: Value) -> str | None:
        if value.form not in ("sequence", "set"):
            return f"{self.name} is no list, but {value}"
        if value.is_withheld or pairs(self.items, value) > MOST_PAIRS:
            return f"{self.name} is {value}, which is too large to be looked through"
        lacking = missing(self.items, value, self.tolerance)
        return f"{self.name} lacks {count(lacking, 'item')}" if lacking else None


@dataclass(frozen=True, slots=True)
class ListLength(Variable):
    """A list has so many items."""

    KEYS = ("variable", "length", "min", "max")
    _what = "length"

    least: int
    most: int | None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        if "length" in fields:
            fields.one_of("length", "min", "max")
            length = fields.whole("length")
            return cls(read_name(fields), length, length)
        if "min" not in fields and "max" not in fields:
            raise fields.refuse("'length' is missing, or 'min', 'max', or both.")
        least, most = fields.whole("min", 0), fields.whole("max") if "max" in fields else None
        if most is not None and most < least:
            raise fields.refuse(f"'max' is {most}, which is less than 'min', {least}.")
        return cls(read_name(fields), least, most)

    @property
    def expected(self) -> str:
        """What is expected."""
        if self.least == self.most:
            return f"a length of {self.least}"
        most = "" if self.most is None else f", at most {self.most}"
        return f"a length of at least {self.least}{most}"

    def _flaw(self, value: Value) -> str | None:
        if value.form not in ("sequence", "set") or value.length is None:
            return f"{self.name} is no list, but {value}"
        if value.length >= self.least and (self.most is None or value.length <= self.most):
            return None
        return f"{self.name} has {count(value.length, 'item')}"
