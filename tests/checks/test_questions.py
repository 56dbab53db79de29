"""Questions as a kernel runs them, and what passes for an answer."""

import json

import pytest

from sandbox_kernel.checks.kinds import Call
from sandbox_kernel.checks.literal import literal
from sandbox_kernel.checks.questions import ask, read_answer
from sandbox_kernel.checks.values import AnswerError
from tests.checks.inside_here import asked

SHADOWED = "list = dict = len = type = id = print = str = json = exec = globals = callable = getattr = 5"


def test_variables(monkeypatch) -> None:
    """Those that are there are described, whatever else the submission has given names to."""
    names: dict = {}
    exec(f"{SHADOWED}\ntotal = 42\nmissing_soon = 1\ndel missing_soon", names)
    question = ask(["total", "missing_soon", "list"])
    before = set(names)
    answer = read_answer(asked(question.code, names, monkeypatch), question.nonce, called=False)
    assert {name: str(value) for name, value in answer.variables.items()} == {"total": "42", "list": "5"}
    assert set(names) == before  # a question leaves nothing behind


def test_nothing_to_know(monkeypatch) -> None:
    """A question for nothing is answered by whoever still lives."""
    question = ask()
    assert read_answer(asked(question.code, {}, monkeypatch), question.nonce, called=False).variables == {}


FUNCTIONS = """
def add(a, b=0): return a + b
def fail(): raise KeyError("x")
def leave(): raise SystemExit(0)
class Odd(Exception):
    def __str__(self): raise ValueError
def odd(): raise Odd
number = 5
"""


@pytest.mark.parametrize(
    ("call", "end", "told"),
    [
        (Call("add", (1, 2), {}), "returned", "3"),
        (Call("add", ("x",), {"b": "y"}), "returned", "'xy'"),
        (Call("add", (float("inf"),), {"b": 1}), "returned", "inf"),
        (Call("fail", (), {}), "raised", ["builtins.KeyError", "builtins.LookupError"]),
        (Call("leave", (), {}), "raised", ["builtins.SystemExit"]),
        (Call("odd", (), {}), "raised", ["__main__.Odd"]),
        (Call("add", (), {}), "raised", ["builtins.TypeError"]),
        (Call("number", (), {}), "not callable", None),
        (Call("nonesuch", (), {}), "missing", None),
    ],
)
def test_calls(call: Call, end: str, told: object, monkeypatch) -> None:
    """A call returns, raises, or cannot be made."""
    names = {"__name__": "__main__"}
    exec(FUNCTIONS, names)
    question = ask((), call)
    called = read_answer(asked(question.code, names, monkeypatch), question.nonce, called=True).called
    assert called
    assert called.end == end
    assert called.inside is (call.function != "add" or end != "raised")
    if end == "returned":
        assert str(called.value) == told
    elif end == "raised":
        assert list(called.classes[: len(told)]) == told


def answers(*said: object, nonce: str = "n") -> list[str]:
    return [text if isinstance(text, str) else json.dumps({"nonce": nonce, **text}) for text in said]


NO_FUNCTION = {"variables": {}, "call": {"function": "missing"}}


@pytest.mark.parametrize(
    "displayed",
    [
        [],
        answers(NO_FUNCTION, nonce="another"),
        answers(NO_FUNCTION, NO_FUNCTION),
        answers({"variables": []}),
        answers({}),
        answers({"variables": {"x": 5}}),
        answers({"variables": {}, "call": {"function": "returned"}}),
        answers({"variables": {}, "call": {"function": "raised", "classes": 5, "said": "", "inside": True}}),
        answers({"variables": {}}),
        ["n is not JSON"],
        ['["n"]'],
        ["[" * 100_000 + "n"],
        ["n" * (1 << 21)],
        ['{"nonce": "n", "variables": {"x": ["number", "int", ' + "9" * 5000 + "]}}"],
    ],
    ids=range(14),
)
def test_what_is_no_answer(displayed: list[str]) -> None:
    """None, two, another's or something else: nothing is known then, and nothing breaks."""
    with pytest.raises(AnswerError):
        read_answer(displayed, "n", called=True)


def test_names_of_classes_are_texts() -> None:
    """Whatever else stands among them is nobody's name, and is not written out."""
    raised = {"function": "raised", "classes": [["x"], "a.B", 5, {}], "said": "", "inside": True}
    called = read_answer(answers({"variables": {}, "call": raised}), "n", called=True).called
    assert called
    assert called.classes == ("a.B",)


def test_an_answer_cannot_be_prepared() -> None:
    """Two questions for the same differ."""
    assert ask(["x"]).nonce != ask(["x"]).nonce


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        0.1,
        float("inf"),
        -float("inf"),
        "a\"'\n\ud800é",
        b"\xff",
        [1, [2]],
        (1,),
        {"a": {1: 2}},
    ],
)
def test_literals(value: object) -> None:
    """Arguments go in as text that means the same, whatever names mean inside."""
    assert eval(literal(value), {"__builtins__": {}}) == value
    assert literal(value).isascii()


def test_literals_of_nothing() -> None:
    """Not a number is no number; what is not plain has no literal."""
    nan = eval(literal(float("nan")), {"__builtins__": {}})
    assert nan != nan
    with pytest.raises(TypeError, match="a set"):
        literal({1})
