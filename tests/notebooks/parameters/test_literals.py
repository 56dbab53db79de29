"""Values become literals, or are refused."""

import ast
import datetime as dt
import json
import math
from enum import IntEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.parameters.literals import MAX_CELL, MAX_DEPTH, assignments, plain

TEXTS = some.text(some.characters(exclude_categories=["Cs"]))
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda children: some.lists(children) | some.dictionaries(TEXTS, children),
    max_leaves=20,
)


class Colour(IntEnum):
    RED = 1


class Loud(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "print('code')"


def value_of(source: str) -> object:
    [node] = ast.parse(source).body
    assert isinstance(node, ast.Assign)
    return ast.literal_eval(node.value)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_is_written_is_the_value(value: object) -> None:
    """Python reads from the cell what was given, on one line, and so does whoever reads the metadata."""
    line = assignments({"x": value})
    assert line.count("\n") == 1
    assert value_of(line) == value
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == value


@pytest.mark.parametrize(
    ("value", "literal", "noted"),
    [
        (math.nan, "float('nan')", "nan"),
        (math.inf, "float('inf')", "inf"),
        (-math.inf, "float('-inf')", "-inf"),
        ((1, [math.nan]), "[1, [float('nan')]]", [1, ["nan"]]),
        (
            {1: 2, None: True, 0.5: "x"},
            "{'1': 2, 'None': True, '0.5': 'x'}",
            {"1": 2, "None": True, "0.5": "x"},
        ),
        (Colour.RED, "1", 1),
        (Loud("'; x"), '"\'; x"', "'; x"),
        ("\u202e'abc\u200b\n", '"\\u202e\'abc\\u200b\\n"', "\u202e'abc\u200b\n"),
        ("grüße 🎉", "'grüße 🎉'", "grüße 🎉"),
    ],
)
def test_values_that_need_care(value: object, literal: str, noted: object) -> None:
    """Numbers that JSON has not, other keys than text, subclasses with ideas, marks that nobody sees."""
    assert assignments({"x": value}) == f"x = {literal}\n"
    assert plain(value) == noted


def nested(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


def bomb() -> object:
    value: list[object] = ["x" * 100]
    for _ in range(30):
        value = [value, value]
    return value


def circle() -> object:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (dt.date(2026, 1, 1), "has a date in it"),
        (b"x", "has a bytes in it"),
        ({1, 2}, "has a set in it"),
        ({"a": [object()]}, "has a object in it"),
        ({b"x": 1}, "has a bytes for a key"),
        ("\ud800", "half a character"),
        (16**5000, "too many digits"),
        (nested(MAX_DEPTH + 1), "nested more than"),
        (circle(), "holds itself"),
        (bomb(), "longer than 16 MiB"),
        ("x" * (MAX_CELL + 1), "longer than 16 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_refused_values(value: object, words: str) -> None:
    """What has no literal, or no end, is refused in one sentence with the parameter's name."""
    with pytest.raises(NotebookError, match="^parameter 'x' .*" + words) as refusal:
        assignments({"x": value})
    assert "\n" not in str(refusal.value)


def test_python_reads_the_deepest() -> None:
    """The bound on depth is below Python's own."""
    assert value_of(assignments({"x": nested(MAX_DEPTH)})) == nested(MAX_DEPTH)


@pytest.mark.parametrize("name", ["", "a b", "import os; x", "class", "x.y", "x[0]", "1x", 1, None, True])
def test_refused_names(name: object) -> None:
    """A name is an identifier: nothing else can come before the equals sign."""
    with pytest.raises(NotebookError, match="no name that a parameter can have"):
        assignments({name: 1})  # type: ignore[dict-item]
