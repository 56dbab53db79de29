"""CHECKS files: what is understood, and what is refused in which words."""

from datetime import date
from pathlib import Path

import pytest

from sandbox_kernel.checks.kinds import KINDS
from sandbox_kernel.checks.suite import MAX_CHECKS, parse_suite, read_suite
from sandbox_kernel.errors import ChecksError

EVERY_KIND = """
title: Every kind
policy: {cell_timeout: 5}
allow_errors: true
show_expected: true
checks:
  - {kind: output, equals: "42", stream: all, cell: 2, ignore_case: true, whitespace: collapse}
  - {kind: output, contains: [a, b]}
  - {kind: output, matches: '\\d+'}
  - {kind: variable_exists, variable: x, name: is x, points: 0.5, message: Name it x., show_expected: false}
  - {kind: variable_type, variable: x, type: [int, numpy.int64]}
  - {kind: variable_value, variable: x, equals: null}
  - {kind: variable_value, variable: x, equals: [1, {a: 2.5}], rel_tolerance: 1.0e-6, abs_tolerance: 1}
  - {kind: function_call, function: f, arguments: [1], keywords: {k: [2]}, equals: 3, timeout: 0.5}
  - {kind: function_call, function: f, raises: ValueError}
  - {kind: function_call, function: f, prints: hello}
  - {kind: list_contains, variable: xs, items: [1]}
  - {kind: list_length, variable: xs, length: 3}
  - {kind: list_length, variable: xs, min: 1, max: 3}
  - {kind: dataframe, variable: df, columns: {a: [1], b: [null]}, dtypes: {a: int64}, ignore_row_order: true}
  - {kind: figure, count: 2, min_width: 100, min_height: 100, cell: plot}
  - {kind: cell_error, raises: ValueError, cell: 3}
"""


def test_every_kind_is_read() -> None:
    """All kinds, all keys; what has no name is called after what is looked at."""
    suite = parse_suite(EVERY_KIND, "CHECKS.yaml")
    assert {check.kind for check in suite.checks} == KINDS.keys()
    assert (suite.title, suite.allow_errors, dict(suite.policy)) == ("Every kind", True, {"cell_timeout": 5})
    assert suite.points == 15.5
    assert suite.checks[3].message == "Name it x."
    assert [check.show_expected for check in suite.checks].count(False) == 1
    assert [check.name for check in suite.checks] == [
        "output of cell 2", "output", "output", "is x", "x: type", "x: value", "x: value", "f(1, k=[2])",
        "f()", "f()", "xs: items", "xs: length", "xs: length", "df: data frame",
        "figure of the cells tagged 'plot'", "error of cell 3",
    ]  # fmt: skip
    assert all(check.condition.expected for check in suite.checks)


def test_every_key_is_tried() -> None:
    """The file above leaves out no key of a kind."""
    missing = {
        f"{name}: {key}" for name, kind in KINDS.items() for key in kind.KEYS if f"{key}:" not in EVERY_KIND
    }
    assert missing == {"dataframe: ignore_column_order"}


def check(text: str) -> str:
    return f"checks:\n  - {{{text}}}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "C: nothing stands where a mapping (key: value) should be."),
        ("[1]", "C: a list stands where a mapping (key: value) should be."),
        ("cheks: []", "C: 'cheks' is not known here; did you mean 'checks'?"),
        ("title: x", "C: 'checks' is missing."),
        ("checks:", "C is not YAML: line 1, column 8: 'checks' is empty; write null if nothing is meant."),
        ("checks: null", "C: 'checks' is empty."),
        ("checks: [{kind: [output]}]", "C, check 1: 'kind' is a list; it has to be one of output, "),
        ("checks: !!int ''", "C cannot be read: "),
        ("checks: !!bool x", "C cannot be read: "),
        ("checks: !!timestamp x", "C cannot be read: "),
        ("checks: []", "C: 'checks' has 0 entries; it has to have 1 to 1000."),
        ("checks: {a: 1}", "C: 'checks' is a mapping; it has to be a list."),
        ("checks: [x]", "C, check 1: 'x' (a text) stands where a mapping with a 'kind' should be."),
        ("checks: [{zzzzzz: 1}]", "C, check 1: 'zzzzzz' is not known here; there are: kind, name, "),
        ("checks: [{kind: outptu}]", "C, check 1: 'kind' is 'outptu' (a text); it has to be one of output, "),
        ("checks: [{kind: outptu}]", "cell_error; 'output' is near"),
        ("checks: [{variable: x}]", "C, check 1: 'kind' is missing."),
        ("a: [", "C is not YAML: line 1, column 5: "),
        (
            'message: Print the total as "Total: N".',
            "line 1, column 35: mapping values are not allowed here; put a text that holds ': ' in quotes.",
        ),
        ("a: b\n  c: d", "line 2, column 4: mapping values are not allowed here."),
        ("a: 1\na: 2", "C is not YAML: line 1, column 1: the key 'a' is there twice."),
        ("!!python/object:os.system {}", "C is not YAML: line 1, column 1: could not determine"),
        ("&a [*a]", "C: a list stands where"),
        ("[" * 5000, "C "),
        (
            check("kind: output"),
            "one of 'equals', 'contains', 'matches' must be there.",
        ),
        (
            check("kind: output, equals: a, contains: b"),
            "only one of 'equals', ",
        ),
        (
            check("kind: output, equals: 42"),
            "'equals' is 42 (a whole number); it has to be a text; put it in quotes.",
        ),
        (
            check("kind: output, equals: true"),
            "'equals' is True (true or false); it has to be",
        ),
        (
            check("kind: output, equals: a, ignore_case: yes"),
            "'ignore_case' is 'yes' (a text); it has to be true or false.",
        ),
        (
            check("kind: output, contains: ''"),
            "'contains' is met by any text, an empty one too; say more of what is expected.",
        ),
        (
            check("kind: output, contains: [a, ' ']"),
            "'contains' is met by any text",
        ),
        (
            check("kind: output, matches: '^\\d*$'"),
            "'matches' is met by any text",
        ),
        (
            check("kind: function_call, function: f, equals: "),
            "'equals' is empty; write null if nothing is meant.",
        ),
        (
            check("kind: function_call, function: f, raises: Value Error"),
            "'raises' is 'Value Error', which is no name of Python's.",
        ),
        (
            check("kind: cell_error, raises: ''"),
            "'raises' is '', which is no name of Python's.",
        ),
        (
            check("kind: variable_type, variable: x, type: [int, a list]"),
            "'type' is 'a list', which is no name of Python's.",
        ),
        (
            check("kind: output, equals: a, variable: x"),
            "'variable' is not known here; ",
        ),
        (
            check("kind: output, equals: a, whitespace: none"),
            "'whitespace' is 'none' (a text); it has to be one of exact, trim, collapse.",
        ),
        (
            check("kind: output, equals: a, cell: 0"),
            "'cell' is 0 (a whole number); it has to ",
        ),
        (
            check("kind: output, matches: '(?=a)'"),
            "'matches' is not a pattern that RE2 can read: invalid perl operator: (?=.",
        ),
        (
            check("kind: output, equals: a, points: -1"),
            "'points' is -1 (a whole number); it has to be a number from 0 to 1e+09.",
        ),
        (
            check("kind: output, equals: a, points: .nan"),
            "'points' is nan (a number); ",
        ),
        (
            check("kind: variable_exists, variable: 'a b'"),
            "'variable' is 'a b', ",
        ),
        (
            check("kind: variable_value, variable: x"),
            "'equals' is missing.",
        ),
        (
            check("kind: variable_value, variable: x, equals: &a [*a]"),
            "'equals' is nested more than 20 levels deep.",
        ),
        (
            check("kind: variable_value, variable: x, equals: 1, abs_tolerance: small"),
            "'abs_tolerance' is 'small' (a text); it has to be a number",
        ),
        (
            check("kind: function_call, function: f, equals: 1, arguments: 2"),
            "'arguments' is 2 (a whole number); it has to be a list.",
        ),
        (
            check("kind: function_call, function: f, equals: 1, arguments: [2026-01-31]"),
            "'arguments' has a date in it, which cannot be passed on.",
        ),
        (
            check("kind: function_call, function: f, equals: 1, keywords: {1: 2}"),
            "'keywords' is a mapping; it has to be a mapping whose keys are texts.",
        ),
        (
            check("kind: list_contains, variable: x, items: []"),
            "'items' is an empty ",
        ),
        (
            check("kind: list_length, variable: x"),
            "'length' is missing, or 'min', ",
        ),
        (
            check("kind: list_length, variable: x, min: 3, max: 2"),
            "'max' is 2, which is ",
        ),
        (
            check("kind: list_length, variable: x, min: 3, length: 2"),
            "only one of ",
        ),
        (
            check("kind: dataframe, variable: x, columns: [1]"),
            "'columns' has to be ",
        ),
        (
            check("kind: dataframe, variable: x, columns: {a: [1], b: []}"),
            "'columns' has columns of different lengths.",
        ),
        (
            check("kind: dataframe, variable: x, columns: {a: [1]}, dtypes: {b: int64}"),
            "'dtypes' names 'b', which is not among 'columns'.",
        ),
        (
            check("kind: dataframe, variable: x, columns: {a: [1]}, dtypes: {a: 64}"),
            "'dtypes' says 64 (a whole number) of 'a'; it has to be a text.",
        ),
        (
            check("kind: figure, count: 1.5"),
            "'count' is 1.5 (a number); it has to be a whole ",
        ),
    ],
)  # fmt: skip
def test_refusals(text: str, sentence: str) -> None:
    """What is not understood is refused, with its place, what stands there, and what should."""
    with pytest.raises(ChecksError) as refusal:
        parse_suite(text, "C")
    assert str(refusal.value).startswith("C")
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-9", 1e-9),
        ("-2.5E+3", -2500.0),
        (".5", 0.5),
        ("1_000", 1000),
        ("0x1f", 31),
        ("-.inf", float("-inf")),
        (".nan", float("nan")),
        ("true", True),
        ("no", "no"),
        ("010", "010"),
        ("12:30", "12:30"),
        ("1.2.3", "1.2.3"),
        ("null", None),
        ("2026-01-31", date(2026, 1, 31)),
    ],
)
def test_values_are_read_as_they_look(written: str, meant: object) -> None:
    """A number is one however it is written; what only YAML 1.1 takes for a number or a bool is text."""
    suite = parse_suite(check(f"kind: variable_value, variable: x, equals: {written}"), "C")
    assert suite.checks[0].condition.expected == repr(meant)


def test_files(tmp_path: Path) -> None:
    """A file that cannot be read is named; one without an end is not read."""
    with pytest.raises(ChecksError, match=r"cannot read .*/none\.yaml: No such file or directory\."):
        read_suite(tmp_path / "none.yaml")
    with pytest.raises(ChecksError, match=r"cannot read .*: Is a directory\."):
        read_suite(tmp_path)
    with pytest.raises(ChecksError, match="larger than 1 MiB"):
        read_suite(Path("/dev/zero"))
    many = tmp_path / "many.yaml"
    many.write_text("checks:\n" + "- {kind: variable_exists, variable: x}\n" * (MAX_CHECKS + 1))
    with pytest.raises(ChecksError, match="has 1001 entries"):
        read_suite(many)


def test_aliases_that_stand_for_billions() -> None:
    """A small file that unfolds without end is refused before it does."""
    levels = ["    a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for last, this in zip("abcdefgh", "bcdefghi", strict=True):
        levels.append(f"    {this}: &{this} [{', '.join([f'*{last}'] * 10)}]")
    text = "\n".join(["checks:", "- kind: variable_value", "  variable: x", "  equals:", *levels])
    with pytest.raises(ChecksError, match="more than 10000 values"):
        parse_suite(text, "C")
