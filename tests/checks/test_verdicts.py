"""Verdicts on evidence: pure functions, no kernel."""

import json
from decimal import Decimal
from xml.etree.ElementTree import fromstring

import pandas as pd
import pytest

from sandbox_kernel.checks.evidence import Called, Error, Evidence, Ran
from sandbox_kernel.checks.reports import to_json, to_junit
from sandbox_kernel.checks.suite import Suite, parse_suite
from sandbox_kernel.checks.verdicts import Graded, all_failed, judge
from tests.checks.inside_here import described
from tests.checks.pictures import blank, drawing

FRAME = pd.DataFrame({"a": [1, 2], "b": [0.5, None]})


def suite_of(check: str) -> Suite:
    return parse_suite(f"checks:\n  - {{{check}}}", "C")


def cells(*ran: dict) -> Evidence:
    return Evidence(tuple(Ran(number=number, **one) for number, one in enumerate(ran, 1)))


def variable(value: object) -> Evidence:
    return Evidence(variables={"x": described(value)})


def called(**call: object) -> Evidence:
    return Evidence(calls={0: Called(**call)})


@pytest.mark.parametrize(
    ("check", "evidence", "reason"),
    [
        ("kind: output, equals: a b", cells({"stdout": "a"}, {"stdout": " b\n"}), None),
        ("kind: output, equals: a", cells({"stderr": "a"}), "the output is empty"),
        ("kind: output, equals: a, stream: stderr", cells({"stderr": "a"}), None),
        ("kind: output, equals: a, stream: all", cells({"results": ("a",)}), None),
        ("kind: output, equals: b, cell: 2", cells({"stdout": "a"}, {"stdout": "b"}), None),
        ("kind: output, equals: b, cell: 3", cells({"stdout": "b"}), "there is no such cell"),
        ("kind: output, equals: b, cell: b", cells({"stdout": "b"}), "no cell is tagged 'b'"),
        (
            "kind: output, equals: b, cell: '01'",
            cells({"stdout": "b"}),
            "no cell is tagged '01' (a check names a cell by its number without quotes, 1)",
        ),
        (
            "kind: output, equals: b, cell: t",
            cells({"stdout": "a"}, {"stdout": "b", "tags": frozenset("t")}),
            None,
        ),
        (
            "kind: output, contains: a",
            cells({"stdout": "a", "is_cut": True}),
            "the output was too long, and cut",
        ),
        ("kind: figure", cells({"pictures": (drawing(),)}), None),
        ("kind: figure", cells({}), "there are 0 figures"),
        (
            "kind: figure, count: 2",
            cells({"pictures": (drawing(), blank())}),
            "there is 1 figure, and another is none: it is of one colour",
        ),
        (
            "kind: figure, min_width: 61",
            cells({"pictures": (drawing(),)}),
            "there are 0 figures, and another is none: it has 60 x 60 pixels only",
        ),
        ("kind: cell_error, raises: ValueError", cells({"error": Error("ValueError")}), None),
        ("kind: cell_error, raises: ArithmeticError", cells({"error": Error("ZeroDivisionError")}), None),
        ("kind: cell_error, raises: OwnError", cells({"error": Error("OwnError")}), None),
        ("kind: cell_error, raises: int", cells({"error": Error("bool")}), "it raised bool"),
        (
            "kind: cell_error, raises: KeyError",
            cells({"error": Error("ValueError", "a\nb")}),
            "it raised ValueError: a",
        ),
        ("kind: cell_error, raises: KeyError", cells({"stdout": "KeyError"}), "no error was raised"),
        ("kind: variable_exists, variable: x", variable(None), None),
        ("kind: variable_exists, variable: y", variable(1), "there is no variable y"),
        ("kind: variable_type, variable: x, type: int", variable(1), None),
        ("kind: variable_type, variable: x, type: int", variable(True), "x is of another type, bool"),
        ("kind: variable_type, variable: x, type: [int, float]", variable(1.5), None),
        ("kind: variable_type, variable: x, type: None", variable(None), None),
        ("kind: variable_type, variable: x, type: ndarray", variable(FRAME["a"].to_numpy()), None),
        ("kind: variable_type, variable: x, type: pandas.DataFrame", variable(FRAME), None),
        ("kind: variable_type, variable: x, type: module", variable(json), None),
        (
            "kind: variable_type, variable: x, type: int",
            variable(type("int", (), {"__module__": "builtins"})()),
            "x is of another type, int, a class",
        ),
        (
            "kind: variable_type, variable: x, type: pandas.DataFrame",
            variable(type("DataFrame", (), {"__module__": "pandas"})()),
            "x is of another type, pandas.DataFrame, a class",
        ),
        (
            "kind: variable_type, variable: x, type: Stack",
            variable(type("Stack", (), {"__module__": "__main__"})()),
            None,
        ),
        (
            "kind: variable_type, variable: x, type: Stack",
            variable(type("Stack", (), {"__module__": "m"})()),
            "x is of another type, m.Stack, a class",
        ),
        ("kind: variable_value, variable: x, equals: [1, 2]", variable((1, 2)), None),
        ("kind: variable_value, variable: x, equals: 0.3, abs_tolerance: 1.0e-9", variable(0.1 + 0.2), None),
        ("kind: variable_value, variable: x, equals: 0.3", variable(0.1 + 0.2), "x is 0.30000000000000004"),
        ("kind: list_contains, variable: x, items: [2, 2]", variable([2, 1, 2]), None),
        ("kind: list_contains, variable: x, items: [2, 2]", variable([2, 1]), "x lacks 1 item"),
        ("kind: list_contains, variable: x, items: [a]", variable("abc"), "x is no list, but 'abc'"),
        ("kind: list_length, variable: x, length: 20000", variable([0] * 20_000), None),
        ("kind: list_length, variable: x, min: 1", variable([]), "x has 0 items"),
        ("kind: list_length, variable: x, max: 1", variable("ab"), "x is no list, but 'ab'"),
        ("kind: dataframe, variable: x, columns: {a: [1, 2], b: [0.5, null]}", variable(FRAME), None),
        (
            "kind: dataframe, variable: x, columns: {b: [0.5, .nan], a: [1, 2]}",
            variable(FRAME),
            "x has the column 'a' where another is expected",
        ),
        (
            "kind: dataframe, variable: x, ignore_column_order: true, columns: {b: [0.5, .nan], a: [1, 2]}",
            variable(FRAME),
            None,
        ),
        (
            "kind: dataframe, variable: x, ignore_column_order: true, columns: {b: [0.5, .nan], c: [1, 2]}",
            variable(FRAME),
            "x has other columns, such as 'a'",
        ),
        (
            "kind: dataframe, variable: x, columns: {a: [2, 1], b: [null, 0.5]}",
            variable(FRAME),
            "x['a'][0] is 1",
        ),
        (
            "kind: dataframe, variable: x, ignore_row_order: true, columns: {a: [2, 1], b: [null, 0.5]}",
            variable(FRAME),
            None,
        ),
        (
            "kind: dataframe, variable: x, ignore_row_order: true, columns: {a: [2, 1], b: [0.5, null]}",
            variable(FRAME),
            "x lacks a row",
        ),
        (
            "kind: dataframe, variable: x, ignore_row_order: true, columns: {a: [2, 1]}",
            variable(pd.DataFrame({"a": [Decimal("sNaN"), Decimal(2)]})),
            "x lacks a row",
        ),
        ("kind: dataframe, variable: x, columns: {a: [1, 2]}", variable(FRAME), "x has 2 columns"),
        ("kind: dataframe, variable: x, columns: {a: [1], b: [0.5]}", variable(FRAME), "x has 2 rows"),
        (
            "kind: dataframe, variable: x, columns: {a: [1, 2], b: [0.5, null]}, dtypes: {a: float64}",
            variable(FRAME),
            "x['a'] is of the type int64",
        ),
        ("kind: dataframe, variable: x, columns: {a: [1]}", variable([1]), "x is no DataFrame, but [1]"),
        ("kind: function_call, function: f, equals: 1", called(end="returned", value=described(1)), None),
        (
            "kind: function_call, function: f, equals: 1",
            called(end="returned", value=described(2)),
            "f() is 2",
        ),
        (
            "kind: function_call, function: f, equals: null",
            called(end="unanswered", said="It died"),
            "It died",
        ),
        ("kind: function_call, function: f, equals: null", Evidence(), "it was not called"),
        ("kind: function_call, function: f, equals: null", called(end="missing"), "there is no function f"),
        (
            "kind: function_call, function: f, equals: null",
            called(end="raised", classes=("builtins.KeyError",)),
            "f() raised KeyError",
        ),
        (
            "kind: function_call, function: f, raises: LookupError",
            called(end="raised", classes=("builtins.KeyError", "builtins.LookupError")),
            None,
        ),
        (
            "kind: function_call, function: f, raises: TypeError",
            called(end="raised", classes=("builtins.TypeError",), said="too many", inside=False),
            "f() raised TypeError: too many, for it does not take these arguments",
        ),
        (
            "kind: function_call, function: f, raises: KeyError",
            called(end="returned", value=described(1)),
            "f() raised nothing",
        ),
        (
            "kind: function_call, function: f, prints: a",
            called(end="returned", value=described(1), stdout="a\n"),
            None,
        ),
        (
            "kind: function_call, function: f, prints: a",
            called(end="returned", value=described("a")),
            "what f() printed is empty",
        ),
        (
            "kind: function_call, function: f, prints: a",
            called(end="returned", value=described(1), stdout="a", is_cut=True),
            "what f() printed was too long, and cut",
        ),
    ],
)
def test_verdict(check: str, evidence: Evidence, reason: str | None) -> None:
    """The condition is met, or it is said why it is not."""
    (verdict,) = judge(suite_of(check), evidence)
    assert (verdict.passed, verdict.reason) == (reason is None, reason or "as expected")


def test_no_evidence_passes_nothing() -> None:
    """Of a submission that has done nothing no check passes, of whatever kind."""
    from tests.checks.test_suite import EVERY_KIND

    suite = parse_suite(EVERY_KIND, "C")
    assert not [verdict.kind for verdict in judge(suite, Evidence()) if verdict.passed]
    assert not [verdict for verdict in all_failed(suite, "It died") if verdict.passed or verdict.points]


def test_what_was_expected_is_told_on_request_only() -> None:
    """The reason has it where the check says so; the teacher's message is there where the check failed."""
    text = "kind: variable_value, variable: x, equals: 4711, message: Add them up."
    (hidden,) = judge(suite_of(text), variable(1))
    (shown,) = judge(suite_of(f"{text}, show_expected: true"), variable(1))
    (passed,) = judge(suite_of(text), variable(4711))
    assert "4711" not in repr(hidden)
    assert shown.reason == "x is 1; expected: 4711"
    assert (hidden.message, passed.message) == ("Add them up.", None)


def test_reports() -> None:
    """JSON and JUnit hold every verdict, whatever characters a submission has chosen."""
    suite = parse_suite(
        "title: T\nchecks: [{kind: variable_value, variable: x, equals: 1, points: 2}, {kind: figure}]", "C"
    )
    evidence = Evidence(
        (Ran(number=1, pictures=(drawing(),)),), {"x": described("]]>\x1b[2J\ud800<a b='\"'>&")}
    )
    done = Graded(submission="a<b>.py", outcome="ok", cause="\0", verdicts=judge(suite, evidence))
    lost = Graded(
        submission="c.py", outcome="lost", cause="gone", verdicts=all_failed(suite, "gone"), was_run=False
    )
    said = json.loads(to_json(suite, [done, lost]))
    assert said["passed"] is False
    assert [one["duration_seconds"] for one in said["submissions"]] == [0, 0]
    assert [(one["points"], one["max_points"]) for one in said["submissions"]] == [(1, 3), (0, 3)]
    assert [check["passed"] for check in said["submissions"][0]["checks"]] == [False, True]
    root = fromstring(to_junit(suite, [done, lost]))
    first, second = root.findall("testsuite")
    assert (first.get("name"), first.get("tests"), first.get("failures")) == ("a<b>.py", "2", "1")
    assert (second.get("errors"), second.get("failures")) == ("2", "0")
    assert len(root.findall(".//testcase")) == 4
    assert len(root.findall(".//failure")) == 1
    assert [error.get("message") for error in root.findall(".//error")] == ["gone", "gone"]
