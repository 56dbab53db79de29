"""Values as they are described inside, read outside, shown and compared."""

import collections
import datetime as dt
import itertools
import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from sandbox_kernel.checks.comparing import difference, missing
from sandbox_kernel.checks.values import AnswerError, Tolerance, read_value
from tests.checks.inside_here import described, inside

DAY = dt.date(2026, 1, 31)
NOON = dt.datetime.fromisoformat("2026-01-31T12:00:00")
TOO_LARGE = "which is too large or too deep to be compared"
DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]
ENDLESS: list = []
ENDLESS.append(ENDLESS)


def named(value: object) -> str | None:
    """Return what a case is called: not all of what is too large to be shown."""
    return repr(value)[:30] if isinstance(value, int | str) else None


@pytest.mark.parametrize(
    ("value", "form", "of", "shown"),
    [
        (None, "none", "NoneType", "None"),
        (True, "bool", "bool", "True"),
        (42, "number", "int", "42"),
        (-0.5, "number", "float", "-0.5"),
        (float("nan"), "number", "float", "nan"),
        (1 + 2j, "number", "complex", "(1+2j)"),
        (Fraction(1, 3), "number", "fractions.Fraction", "1/3"),
        (Decimal("0.10"), "number", "decimal.Decimal", "0.10"),
        ("a\ud800\n", "text", "str", r"'a\ud800\n'"),
        (b"\0", "bytes", "bytes", r"b'\x00'"),
        (DAY, "moment", "datetime.date", "2026-01-31"),
        ([1, [2]], "sequence", "list", "[1, [2]]"),
        ((), "sequence", "tuple", "[]"),
        (range(3), "sequence", "range", "[0, 1, 2]"),
        (collections.deque([1]), "sequence", "collections.deque", "[1]"),
        ({1}, "set", "set", "{1}"),
        (frozenset(), "set", "frozenset", "{}"),
        ({"a": 1}, "mapping", "dict", "{'a': 1}"),
        (collections.Counter("aa"), "mapping", "collections.Counter", "{'a': 2}"),
        (np.array([[1, 2]]), "sequence", "numpy.ndarray", "[[1, 2]]"),
        (np.float64(0.5), "number", "numpy.float64", "0.5"),
        (np.longdouble("0.5"), "number", "numpy.longdouble", "0.5"),
        (np.bool_(True), "bool", "numpy.bool", "True"),
        (pd.Series([1.5]), "sequence", "pandas.Series", "[1.5]"),
        (pd.Timestamp("2026-01-31"), "moment", "pandas.Timestamp", "2026-01-31T00:00:00"),
        (pd.NaT, "none", "pandas.NA", "None"),
        (pd.DataFrame({"a": [1, 2]}), "frame", "pandas.DataFrame", "a DataFrame of 2 rows and 1 columns"),
        (len, "object", "builtins.builtin_function_or_method", None),
        (math, "object", "builtins.module", None),
        (1 << 5000, "cut", "int", "a value of type int, size 5001"),
        ("x" * 50_000, "cut", "str", "a value of type str, size 50000"),
        ([0] * 20_000, "sequence", "list", "a value of type list, size 20000"),
    ],
    ids=named,
)  # fmt: skip
def test_plain_values(value: object, form: str, of: str, shown: str | None) -> None:
    """What is plain is described whole, by its exact type; what is too large by its size."""
    found = described(value)
    assert (found.form, found.type) == (form, of)
    assert shown is None or str(found) == shown


class LyingInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __repr__(self) -> str:
        return "42"

    @property
    def __class__(self):
        return int


class LyingFloat(float):
    def __float__(self) -> float:
        return 3.14


class LyingList(list):
    def __len__(self) -> int:
        return 3

    def __iter__(self):
        return iter([1, 2, 3])


class LyingStr(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "right"


class Impostor(type):
    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return hash(int)


class Named(int, metaclass=Impostor):
    pass


Named.__name__ = Named.__qualname__ = "int"
Named.__module__ = "builtins"


@pytest.mark.parametrize(
    "value",
    [LyingInt(1), LyingFloat(1), LyingList(), LyingStr("wrong"), Named(42), collections.UserList([1])],
)
def test_classes_that_lie(value: object) -> None:
    """An instance of a class of somebody's own is that, whatever the class says."""
    assert described(value).form == "object"


def test_nothing_is_endless() -> None:
    """Depth, size and number of what is described are bounded, and with them time and memory."""
    assert described(DEEP).is_cut()
    assert described(ENDLESS).is_cut()
    wide: list = []
    for _ in range(50):
        wide = [wide, wide]
    assert described(wide).is_cut()
    assert described(["x" * 30_000] * 1000).is_cut()
    assert not described([[1, 2], {"a": (3,)}]).is_cut()


def test_answers_fit_into_a_message() -> None:
    """The largest answer is below the mebibyte that `strict` lets through, escaped twice."""
    import json

    worst = inside()["Describer"]().describe(["\U0001f600" * 29_000, [1.2345678901234567e-300] * 9_990])
    assert len(json.dumps(json.dumps(worst))) < 1 << 20


@pytest.mark.parametrize(
    "node",
    [
        None,
        [],
        ["int"],
        ["number", "int", 5],
        ["number", "int", "1" * 5000],
        ["number", "int", "five"],
        ["number", "float", "1_0" * 1000],
        ["number", "fractions.Fraction", "1/0"],
        ["bool", "bool", 1],
        ["text", "str", None],
        ["bytes", "bytes", "zz"],
        ["sequence", "list", -1, None],
        ["sequence", "list", True, None],
        ["sequence", "list", 1, "x"],
        ["mapping", "dict", 1, [[["none", "NoneType"]]]],
        ["frame", "pandas.DataFrame", 2, [[["text", "str", "a"], "int64", []]]],
        ["unheard-of", "x"],
        ["none", 3],
    ],
)
def test_answers_that_are_none(node: object) -> None:
    """What describes nothing is refused, and nothing else happens."""
    with pytest.raises(AnswerError):
        read_value(node)


def test_long_numbers() -> None:
    """A number that takes long to be read is none, however it is written."""
    for of, text in (
        ("int", "9" * 1400),
        ("float", "0." + "9" * 1400),
        ("decimal.Decimal", "9" * 1400 + ".0"),
    ):
        with pytest.raises(AnswerError):
            read_value(["number", of, text])


def test_answers_without_a_bottom() -> None:
    """So is what goes on below every value that we describe."""
    node: object = ["none", "NoneType"]
    for _ in range(500):
        node = ["sequence", "list", 1, [node]]
    with pytest.raises(AnswerError):
        read_value(node)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (3, 3.0),
        (0.1, Decimal("0.1")),
        (0.5, Fraction(1, 2)),
        (3, np.int64(3)),
        (True, np.bool_(True)),
        (float("inf"), float("inf")),
        (float("nan"), float("nan")),
        ("é", "é"),
        (b"x", b"x"),
        ([1, 2], (1, 2)),
        ([1, 2], {2, 1}),
        ({1, 2}, [2, 1]),
        ([[1.0, 2.0]], np.array([[1, 2]])),
        ([1, 2], pd.Series([1, 2])),
        ([0, 1], range(2)),
        ({"a": [1]}, {"a": (1,)}),
        ({1: "x", None: 2}, {None: 2, 1.0: "x"}),
        ({"a": 2}, collections.Counter("aa")),
        (DAY, DAY),
        (DAY, pd.Timestamp(DAY)),
        (NOON, NOON),
    ],
)  # fmt: skip
def test_equal(expected: object, value: object) -> None:
    """Plain values are equal to plain values, whatever list or number they are."""
    if isinstance(value, Decimal):
        assert difference(expected, described(value), Tolerance(1e-9)) is None
    else:
        assert difference(expected, described(value)) is None


@pytest.mark.parametrize(
    ("expected", "value", "sentence"),
    [
        (3, 4, "x is 4"),
        (1, True, "x is True"),
        (True, 1, "x is 1"),
        (0, False, "x is False"),
        (0, None, "x is None"),
        ("3", 3, "x is 3"),
        (3, "3", "x is '3'"),
        ("a", b"a", "x is b'a'"),
        ([1, 2], [1, 3], "x[1] is 3"),
        ([1, 2], [1], "x has 1 item"),
        ([1, 2], {1, 3}, "x is {1, 3}"),
        ([1, 1], {1, 2}, "x is {1, 2}"),
        ([[1], [2]], [[1], [3]], "x[1][0] is 3"),
        ({"a": 1}, {"a": 2}, "x['a'] is 2"),
        ({"a": 1}, {"b": 1}, "x lacks a key"),
        ({1: 1}, {True: 1}, "x lacks a key"),
        ({True: 1}, {1: 1}, "x lacks a key"),
        ({"a": 1}, {}, "x has 0 keys"),
        ({"a": 1}, [("a", 1)], "x is [['a', 1]]"),
        (42, LyingInt(42), "x is an object of the class tests.checks.test_values.LyingInt"),
        ([1, 2, 3], LyingList(), "x is an object of the class tests.checks.test_values.LyingList"),
        (DAY, dt.date(2026, 1, 30), "x is 2026-01-30"),
        ([0] * 5, [0] * 20_000, f"x is a value of type list, size 20000, {TOO_LARGE}"),
        (1 << 5000, 1 << 5000, f"x is a value of type int, size 5001, {TOO_LARGE}"),
    ],
    ids=named,
)  # fmt: skip
def test_different(expected: object, value: object, sentence: str) -> None:
    """A difference is told by its place and the submission's own value, never by the expected one."""
    assert difference(expected, described(value), name="x") == sentence


@pytest.mark.parametrize(
    ("tolerance", "expected", "value", "same"),
    [
        (Tolerance(), 0.3, 0.1 + 0.2, False),
        (Tolerance(absolute=1e-9), 0.3, 0.1 + 0.2, True),
        (Tolerance(absolute=0.5), 3, 3.5, True),
        (Tolerance(absolute=0.5), 3, 3.51, False),
        (Tolerance(relative=0.01), 1000, 1009, True),
        (Tolerance(relative=0.01), 1000, 1011, False),
        (Tolerance(absolute=1e300), 1.0, float("nan"), False),
        (Tolerance(absolute=1.0), float("inf"), 1e308, False),
        (Tolerance(absolute=1.0), float("inf"), float("inf"), True),
        (Tolerance(absolute=1.0), 1.0, 1 << 4000, False),
        (Tolerance(absolute=1.0), 1.0, Decimal("sNaN"), False),
        (Tolerance(absolute=1.0), 1.0, Decimal("1e999999"), False),
        (Tolerance(absolute=0.1), 1.0, 1.05 + 0.01j, True),
        (Tolerance(absolute=9.0), 1, True, False),
    ],
)
def test_tolerance(tolerance: Tolerance, expected: float, value: object, same: bool) -> None:
    """Numbers may be that far away, and nothing that is none is a number for it."""
    assert (difference(expected, described(value), tolerance) is None) is same


def test_missing_items_count_each() -> None:
    """Two equal items have to be there twice."""
    assert missing([1, 1, 2], described([1, 2, 3])) == 1
    assert missing([0.3], described([0.1 + 0.2]), Tolerance(absolute=1e-9)) == 0


@pytest.mark.parametrize(
    ("expected", "values", "lacking"),
    [
        ([1.5, 1.0], [1.9, 1.4], 0),  # 1.4 is as good as both, and only it as good as 1.0
        ([1.0, 1.5], [1.4, 1.9], 0),
        ([1.0, 1.5, 2.0], [2.4, 1.9, 1.4], 0),
        ([1.0, 1.0, 1.5], [1.4, 1.9, 1.8], 1),
        ([[1, 2], [2, 1]], [{1, 2}, (1, 2)], 0),  # a set is in any order, and a tuple is not
        ([1.0 + n / 2 for n in range(200)], [1.4 + n / 2 for n in reversed(range(200))], 0),
    ],
)
def test_items_in_any_order(expected: list, values: list, lacking: int) -> None:
    """An item that is as good as several is given to the one for which there is no other."""
    assert missing(expected, described(values), Tolerance(absolute=0.5)) == lacking


def test_matching_is_as_good_as_trying_everything() -> None:
    """Of small lists, every way to give the items away is tried: none makes more of them content."""
    dice = random.Random(20261126)
    for _ in range(200):
        expected, values = ([dice.randrange(12) / 4 for _ in range(5)] for _ in range(2))
        best = max(
            sum(abs(one - other) <= 0.5 for one, other in zip(expected, order, strict=True))
            for order in itertools.permutations(values)
        )
        assert missing(expected, described(values), Tolerance(absolute=0.5)) == 5 - best


def test_sets_of_sets_are_bounded() -> None:
    """Each pair of sets has pairs of its own, which count: ninety sets of ninety are refused at once."""
    grown = {frozenset(range(n, n + 20)) for n in range(20)}
    assert difference([list(range(n, n + 20)) for n in range(20)], described(grown)) is None
    grown = {frozenset(range(n, n + 90)) for n in range(90)}
    said = difference([list(range(n, n + 90)) for n in range(90)], described(grown))
    assert said == "it is too large to be compared in any order"
