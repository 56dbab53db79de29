"""Submissions as code: what is run of them, and how little of a hostile notebook is looked at."""

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sandbox_kernel.checks import grading
from sandbox_kernel.checks.bare import MOST_CELLS, bare
from sandbox_kernel.checks.evidence import Error
from sandbox_kernel.checks.submission import Submission, SubmissionError, read_submission
from sandbox_kernel.checks.suite import parse_suite
from sandbox_kernel.policy import Policy

STREAM = {"output_type": "stream", "name": "stdout", "text": "x"}


def code(number: int, source: Any = "x = 1\n", **more: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": f"c{number}", "source": source}
    return cell | {"metadata": {}, "outputs": [], "execution_count": None} | more


def notebook(*cells: Any, **more: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def written(content: object) -> Submission:
        path = tmp_path / "s.ipynb"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_submission(path, 100_000)

    return written


def test_what_is_run_of_a_notebook(read: Any) -> None:
    """Code and tags of cells that run; of lines that are a list, all."""
    prose = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Title", "attachments": {}}
    pieces = read(
        notebook(
            prose,
            code(
                1, ["a = 1\n", "b = 2"], metadata={"tags": ["answer"], "more": {"x": [1]}}, outputs=[STREAM]
            ),
            code(2, "no", metadata={"tags": ["skip-execution"]}),
            code(3),
        )
    ).pieces
    assert [(piece.number, piece.source, set(piece.tags)) for piece in pieces] == [
        (1, "a = 1\nb = 2", {"answer"}),
        (2, "x = 1\n", set()),
    ]


def test_older_formats(read: Any) -> None:
    """A notebook of format 3 has its code in other places."""
    cell = {"cell_type": "code", "input": ["a = 1\n", "b"], "language": "python", "collapsed": False}
    cell |= {"metadata": {}, "outputs": [STREAM], "prompt_number": 7}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    assert read(old).pieces[0].source == "a = 1\nb"


def test_what_is_left_of_it_is_a_notebook() -> None:
    """Nothing that takes time is left, and all that makes it one."""
    outputs = [STREAM] * 1000
    left = bare(json.dumps(notebook(code(1, outputs=outputs), metadata={"x": [{}] * 1000})))
    assert len(left) < 300
    nbformat.validate(json.loads(left))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 100_000, "not a notebook: it is not JSON"),
        ({"cells": []}, "no 'nbformat' field"),
        (notebook(*([code(1)] * (MOST_CELLS + 1))), f"more than {MOST_CELLS} cells"),
        (notebook(code(1), metadata={"x": [[]] * 500_000}), "more than 500000 lists and mappings"),
        (notebook(code(1, outputs=[{}] * 500_000)), "more than 500000 lists and mappings"),
        (notebook(code(1, "x" * 100_001)), "more than 97 KiB of code"),
        (notebook(code(1, {"a": 1})), "not a valid notebook"),
        (notebook("cell"), "not a valid notebook"),
        ({"nbformat": [[]], "cells": []}, "not a valid notebook"),
        ({"nbformat": 4, "cells": {}}, "not a valid notebook"),
        ({"nbformat": 3, "worksheets": [{"cells": [{}]}]}, "not a valid notebook"),
        (notebook(code(1, "'\ud800'")), "half a character"),
        (notebook(), "no code in it"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else "content",
)
def test_refusals(read: Any, content: object, words: str) -> None:
    """Whatever it is made of, it is refused in words."""
    with pytest.raises(SubmissionError, match=words):
        read(content)


async def test_others_are_graded_meanwhile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A submission that takes long to be read holds nobody up: the event loop goes on."""
    loop, entered, going_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def slow(path: Path, _: int) -> Submission:
        loop.call_soon_threadsafe(entered.set)
        asyncio.run_coroutine_threadsafe(going_on.wait(), loop).result(30)
        raise SubmissionError(f"{path.name} is unusable")

    monkeypatch.setattr(grading, "read_submission", slow)
    suite = parse_suite("checks: [{kind: variable_exists, variable: x}]", "C")
    graded = asyncio.ensure_future(grading.grade(tmp_path / "s.py", suite, Policy()))
    await entered.wait()
    going_on.set()
    assert (await graded).cause == "s.py is unusable"


@pytest.mark.parametrize(
    ("error", "is_script", "words"),
    [
        (
            Error("SyntaxError", "invalid syntax (2538797860.py, line 1)"),
            True,
            "invalid syntax (a\\1.py, line 1)",
        ),
        (Error("SyntaxError", "bad (2538797860.py, line 1)"), True, "bad (a\\1.py, line 1)"),
        (Error("SyntaxError", "bad (2538797860.py, line 1)"), False, "bad (line 1)"),
        (Error("ValueError", "(7.py, line 1) is none"), True, "ValueError: (7.py, line 1) is none"),
        (Error("StdinNotImplementedError", "raw_input was"), True, "it asked for input(), which nobody"),
    ],
)
def test_errors_in_words_of_their_author(error: Error, is_script: bool, words: str) -> None:
    """A file has the name that its author gave it, and input() is called so."""
    assert words in grading.told(error, Submission((), is_script=is_script, name="a\\1.py"))


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (b"x = '\xc3\xa9'", "x = '\xe9'"),
        (b"\xef\xbb\xbfx = '\xc3\xa9'", "x = '\xe9'"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'", "# -*- coding: latin-1 -*-\nx = '\xe9'"),
        (
            b"#!/usr/bin/python\n# coding: cp1252\nx = '\x80'",
            "#!/usr/bin/python\n# coding: cp1252\nx = '\u20ac'",
        ),
        (b"# coding: rot13\nk = 1", "# coding: rot13\nk = 1"),
    ],
)
def test_scripts_in_the_encoding_that_they_name(tmp_path: Path, content: bytes, source: str) -> None:
    """As Python reads them; of encodings that are no table the name does not count."""
    path = tmp_path / "s.py"
    path.write_bytes(content)
    assert read_submission(path, 1000).pieces[0].source == source


@pytest.mark.parametrize(
    "content", [b"x = '\xe9'", b"# coding: nonsense\nx = 1", b"# coding: ascii\nx = '\xe9'"]
)
def test_scripts_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    """Say what can be done about it."""
    path = tmp_path / "s.py"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match="save it as UTF-8"):
        read_submission(path, 1000)
