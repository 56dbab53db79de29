"""Which submissions need no kernel, and that these are judged as if they had one."""

import asyncio
from pathlib import Path

import pytest

from sandbox_kernel.checks import grading
from sandbox_kernel.checks.grading import grade, is_plain
from sandbox_kernel.checks.submission import Piece, Submission
from sandbox_kernel.checks.suite import Suite, parse_suite
from sandbox_kernel.checks.verdicts import Graded
from sandbox_kernel.policy import Policy
from sandbox_kernel.session import AsyncSandbox
from sandbox_kernel.session.program import Program

STRICT = Policy.from_settings({"profile": "strict", "engine": "bubblewrap", "cell_timeout": 20})
NO_PYTHON = '{"ended": "error", "name": "SyntaxError", "text": "", "compiled": false}'
OUTPUT = "{kind: output, equals: '3'}"


def suite(*checks: str) -> Suite:
    return parse_suite(f"checks: [{', '.join(checks or (OUTPUT,))}]", "CHECKS.yaml")


def script(source: str) -> Submission:
    return Submission((Piece(1, source),), is_script=True)


@pytest.mark.parametrize(
    ("source", "checks", "plain"),
    [
        ("print(3)", (), True),
        ("import numpy, pandas", ("{kind: variable_exists, variable: x}",), True),
        ("from IPython.display import Image", (), False),
        ("get_ipython().run_line_magic('ls', '')", (), False),
        ("display(3)", (), False),
        ("import matplotlib.pyplot as plt", (), False),
        ("breakpoint()", (), False),
        ("print(3)", ("{kind: figure}",), False),
        ("3", ("{kind: output, equals: '3', stream: results}",), False),
        ("3", (OUTPUT, "{kind: output, equals: '3', stream: all}"), False),
        ("print(3)", ("{kind: output, equals: '3', stream: stderr}",), True),
        ("import threading", (), True),
        ("import threading", ("{kind: function_call, function: f, prints: '3'}",), False),
        ("def f(): print(3)", ("{kind: function_call, function: f, prints: '3'}",), True),
    ],
)
def test_who_needs_a_kernel(source: str, checks: tuple[str, ...], *, plain: bool) -> None:
    """Whoever may mean what IPython gives, or is asked for what only a kernel shows."""
    assert is_plain(script(source), suite(*checks), STRICT) is plain


def test_notebooks_and_imported_modules_need_one() -> None:
    """A notebook's cells are a kernel's; and kernels have imported beforehand what a policy names."""
    assert not is_plain(Submission((Piece(1, "print(3)"),), is_script=False), suite(), STRICT)
    settings = {"profile": "strict", "engine": "bubblewrap", "preload": ["json"]}
    assert not is_plain(script("print(3)"), suite(), Policy.from_settings(settings))


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What submissions are run by, in turn."""
    names: list[str] = []

    class NotedProgram(Program):
        def __init__(self, policy: Policy) -> None:
            names.append("program")
            super().__init__(policy)

    class NotedSandbox(AsyncSandbox):
        def __init__(self, policy: Policy) -> None:
            names.append("kernel")
            super().__init__(policy)

    monkeypatch.setattr(grading, "Program", NotedProgram)
    monkeypatch.setattr(grading, "AsyncSandbox", NotedSandbox)
    return names


def graded(tmp_path: Path, source: str, *checks: str) -> Graded:
    path = tmp_path / "submission.py"
    path.write_text(source)
    return asyncio.run(grade(path, suite(*checks), STRICT))


@pytest.mark.parametrize(
    ("source", "by"),
    [
        ("print(3)", ["program"]),
        ("x = await __import__('asyncio').sleep(0, 3)\nprint(x)", ["program", "kernel"]),
        ("display = print\ndisplay(3)", ["kernel"]),
    ],
)
def test_what_is_no_plain_python_gets_a_kernel(
    tmp_path: Path, used: list[str], source: str, by: list[str]
) -> None:
    """In a fresh sandbox, after nothing of it was run in the first."""
    assert graded(tmp_path, source).passed
    assert used == by


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.write(4, b'" + NO_PYTHON + "\\n'); os._exit(0)",
        "print(3)\nimport _sandbox_runner as r\ndef refuse(*a, **k): raise SyntaxError\nr.compile = refuse",
    ],
    ids=["while it runs", "when it is asked"],
)
def test_who_was_run_is_not_run_once_more(tmp_path: Path, used: list[str], source: str) -> None:
    """It may say that it was not run, or cannot be asked: it has had its turn."""
    assert not graded(tmp_path, source).passed
    assert used == ["program"]


def test_a_program_says_why_it_ends_itself(tmp_path: Path) -> None:
    """Its last words are told, of which its exit status says nothing."""
    source = (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('n')\nparser.parse_args()"
    )
    cause = "it raised SystemExit: 2: submission.py: error: the following arguments are required: n"
    assert graded(tmp_path, source).cause == cause


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("print(3", "it raised SyntaxError: incomplete input (submission.py, line 1)"),
        ("input()", "it asked for input(), which nobody answers here"),
        ("1 / 0", "it raised ZeroDivisionError: division by zero"),
        ("import os; os._exit(0)", "The kernel ended itself with exit status 0"),
        ("raise SystemExit(2)", "it raised SystemExit: 2"),
    ],
)
def test_causes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, cause: str
) -> None:
    """Whoever runs it."""
    plain = graded(tmp_path, source)
    monkeypatch.setattr(grading, "is_plain", lambda *_: False)
    by_kernel = graded(tmp_path, source)
    assert (plain.cause, plain.outcome) == (by_kernel.cause, by_kernel.outcome)
    assert plain.cause == cause
