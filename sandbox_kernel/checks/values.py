"""Values as a sandbox described them: plain data that is read, shown and compared, and never obeyed.

What `inside` writes is read here. It comes from a process that a submission shares, so each part is
checked: a form that is not known, a number that is none, a list where a text should be is refused.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, Final, Literal, cast

Form = Literal[
    "none",
    "bool",
    "number",
    "text",
    "bytes",
    "moment",
    "sequence",
    "set",
    "mapping",
    "frame",
    "object",
    "cut",
]

MAX_DEPTH: Final = 50
"""Levels of an answer; what we send inside describes twenty, in two or three lists each."""
MAX_DIGITS: Final = 1300
"""Of a number: what 4096 bits have, and a sign. Reading more takes time that grows with the square."""
SHOWN: Final = 80
"""Characters of a value that a message repeats."""

_INTEGER: Final = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}", re.ASCII)
_FRACTION: Final = re.compile(rf"(-?[0-9]{{1,{MAX_DIGITS}}})(?:/([0-9]{{1,{MAX_DIGITS}}}))?", re.ASCII)


class AnswerError(Exception):
    """An answer that is none: the submission is at fault, or whatever it left in its kernel."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a data frame."""

    label: "Value"
    dtype: str
    cells: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the submission's, as it was described."""

    form: Form
    type: str
    """The type's name: of a form other than "object", one that was told by identity."""
    content: Any = None
    """What it holds, by form: bool, number, str, bytes, or a tuple of values, of pairs, of columns.
    None where it is too large to be sent."""
    length: int | None = None
    """Of what has one."""

    @property
    def is_withheld(self) -> bool:
        """Whether it was too large, or too deep inside another, to be sent."""
        return self.form == "cut" or (self.content is None and self.length is not None)

    def is_cut(self) -> bool:
        """Tell whether something of it was withheld, at any level."""
        return self.is_withheld or any(part.is_cut() for part in self.parts())

    def parts(self) -> Iterable["Value"]:
        """Return the values that it holds; of nothing that was withheld."""
        match self.form:
            case "sequence" | "set":
                return cast("tuple[Value, ...]", self.content)
            case "mapping":
                return chain.from_iterable(self.content)
            case "frame":
                return chain.from_iterable(column.cells for column in self.content)
        return ()

    def __str__(self) -> str:
        """Return it as Python writes it, more or less, and cut to a readable length."""
        text = _written(self, 3)
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def read_value(node: object, depth: int = MAX_DEPTH) -> Value:
    """Return the value that an answer describes.

    :raises AnswerError: it describes none.
    """
    match node:
        case [str(form), str(of), *held] if form in _READERS and depth:
            try:
                return _READERS[form](of[:200], held, depth - 1)
            except (ValueError, ArithmeticError, TypeError) as error:
                raise AnswerError(f"a {form} that is none ({type(error).__name__})") from error
    raise AnswerError("something that describes no value")


def _none(of: str, held: list[object], _depth: int) -> Value:
    () = held
    return Value("none", of)


def _bool(of: str, held: list[object], _depth: int) -> Value:
    (content,) = held
    if not isinstance(content, bool):
        raise TypeError
    return Value("bool", of, content)


def _number(of: str, held: list[object], _depth: int) -> Value:
    return Value("number", of, _parsed(of, _text(held)))


def _parsed(of: str, text: str) -> int | float | complex | Decimal | Fraction:
    if _INTEGER.fullmatch(text):
        return int(text)
    if found := _FRACTION.fullmatch(text):
        return Fraction(int(found[1]), int(found[2] or 1))
    if len(text) > MAX_DIGITS:
        raise ValueError
    if of == "decimal.Decimal":
        return Decimal(text)
    return complex(text) if "j" in text else float(text)


def _text(held: list[object]) -> str:
    (content,) = held
    if not isinstance(content, str):
        raise TypeError
    return content


def _bytes(of: str, held: list[object], _depth: int) -> Value:
    content = bytes.fromhex(_text(held))
    return Value("bytes", of, content, len(content))


def _string(of: str, held: list[object], _depth: int) -> Value:
    content = _text(held)
    return Value("text", of, content, len(content))


def _moment(of: str, held: list[object], _depth: int) -> Value:
    return Value("moment", of, _text(held)[:100])


def _object(of: str, held: list[object], _depth: int) -> Value:
    () = held
    return Value("object", of)


def _omitted(of: str, held: list[object], _depth: int) -> Value:
    () = held
    return Value("cut", of)


def _large(of: str, held: list[object], _depth: int) -> Value:
    (length,) = held
    return Value("cut", of, None, _length(length))


def _length(length: object) -> int:
    if type(length) is not int or length < 0:
        raise TypeError
    return length


def _several(form: Literal["sequence", "set"]) -> "_Reader":
    def read(of: str, held: list[object], depth: int) -> Value:
        length, content = held
        if content is None:
            return Value(form, of, None, _length(length))
        items = tuple(read_value(item, depth) for item in _list(content))
        return Value(form, of, items, len(items))

    return read


def _list(content: object) -> list[object]:
    if not isinstance(content, list):
        raise TypeError
    return content


def _mapping(of: str, held: list[object], depth: int) -> Value:
    length, content = held
    if content is None:
        return Value("mapping", of, None, _length(length))
    pairs = [[read_value(item, depth) for item in _list(pair)] for pair in _list(content)]
    return Value("mapping", of, tuple((key, value) for key, value in pairs), len(pairs))


def _frame(of: str, held: list[object], depth: int) -> Value:
    rows, content = held
    if content is None:
        return Value("frame", of, None, _length(rows))
    columns = tuple(_column(column, depth) for column in _list(content))
    if any(len(column.cells) != _length(rows) for column in columns):
        raise ValueError
    return Value("frame", of, columns, _length(rows))


def _column(node: object, depth: int) -> Column:
    label, dtype, cells = _list(node)
    if not isinstance(dtype, str):
        raise TypeError
    return Column(
        read_value(label, depth), dtype[:200], tuple(read_value(cell, depth) for cell in _list(cells))
    )


_Reader = Callable[[str, list[object], int], Value]

_READERS: Final[Mapping[str, _Reader]] = {
    "none": _none,
    "bool": _bool,
    "number": _number,
    "text": _string,
    "bytes": _bytes,
    "moment": _moment,
    "sequence": _several("sequence"),
    "set": _several("set"),
    "mapping": _mapping,
    "frame": _frame,
    "object": _object,
    "omitted": _omitted,
    "large": _large,
}


def _written(value: Value, depth: int) -> str:
    """Return a value as Python writes it; what is deep or long is left to the reader's imagination."""
    if value.is_withheld:
        return f"a value of type {value.type}, size {value.length}" if value.length is not None else "…"
    if value.form == "frame":
        return f"a DataFrame of {value.length} rows and {len(value.content)} columns"
    if value.form == "object":
        return f"an object of the class {value.type.removeprefix('__main__.').removeprefix('builtins.')}"
    if value.form in ("text", "bytes"):
        return repr(value.content[: SHOWN + 1])
    several = value.form in ("sequence", "set", "mapping")
    return _written_items(value, depth) if several else str(value.content)


def _written_items(value: Value, depth: int) -> str:
    if not depth:
        return "…"
    some = value.content[:SHOWN]
    if value.form == "mapping":
        items = [f"{_written(key, depth - 1)}: {_written(item, depth - 1)}" for key, item in some]
    else:
        items = [_written(item, depth - 1) for item in some]
    begin, end = ("[", "]") if value.form == "sequence" else ("{", "}")
    return begin + ", ".join(items) + end


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from what is expected: absolutely, or relative to what is expected."""

    absolute: float = 0.0
    relative: float = 0.0

    def accepts(self, expected: Any, actual: Any) -> bool:
        """Tell whether a number is as good as the expected one. Nothing but NaN is as good as NaN."""
        try:
            if expected == actual:
                return True
            if isinstance(expected, complex) or isinstance(actual, complex):
                distance, size = abs(complex(expected) - complex(actual)), abs(complex(expected))
            else:
                expected, actual = float(expected), float(actual)
                if math.isnan(expected) or math.isinf(expected):
                    return math.isnan(expected) and math.isnan(actual)
                distance, size = abs(expected - actual), abs(expected)
        except (ArithmeticError, ValueError):  # what no float can hold, and a NaN that signals
            return False
        return distance <= max(self.absolute, self.relative * size)
