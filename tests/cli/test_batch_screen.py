"""What a batch shows: nothing that a terminal obeys, whatever notebooks hold and are called."""

import io
import os

import pytest
from rich.console import Console

from sandbox_kernel.batches import Left, Summary
from sandbox_kernel.cli.batch_screen import MAX_ROWS, BatchScreen
from sandbox_kernel.notebooks import Cell, Outcome
from tests.batches.runs import BEGUN, job, record

NASTY = "\x1b]0;owned\x07\x1b[2J\r\n\x9b1m\u202e[bold]x[/bold]"
NAME = os.fsdecode(b"\xff") + NASTY + ".ipynb"


def screen(*, terminal: bool, quiet: bool = False) -> tuple[BatchScreen, io.StringIO]:
    made, sent = BatchScreen(2, quiet=quiet), io.StringIO()
    made._console = Console(
        file=sent, force_terminal=terminal, width=200, no_color=True, markup=False, legacy_windows=False
    )
    return made, sent


def show(made: BatchScreen) -> None:
    """Have it told of two runs, one of which is tried again."""
    one = job(NAME, label=NASTY)
    with made.watching():
        made.begun(one)
        made.cell_started(one, Cell(0, 1, 3, "# a comment\nprint(1)" + NASTY))
        if made._live is not None:
            made._live.refresh()
        made.warned(one, NASTY)
        made.warned(one, NASTY)
        made.retrying(one, NASTY, 1.5)
        made.ended(record(Outcome.ERROR, NASTY, job=one))
        made.ended(record(job=job("b.ipynb")))
    summary = Summary(
        records=(record(Outcome.ERROR, NASTY, job=one), record(job=job("b.ipynb"))),
        started=BEGUN,
        duration=2.0,
        at_once=1,
        stopped=NASTY,
    )
    made.summarise(summary, None)


def test_lines() -> None:
    """Elsewhere than on a terminal each end is a line, and nothing moves."""
    made, sent = screen(terminal=False)
    show(made)
    lines = sent.getvalue().splitlines()
    assert not set(sent.getvalue()) & set("\x1b\x07\r\x9b\u202e\udcff")
    assert [line[:9] for line in lines if line.startswith("[")] == ["[1/2] ✗  ", "[2/2] ✓  "]
    assert sum(line.startswith("warning: ") for line in lines) == 1
    assert lines[-1] == "2 runs in 2 s: 1 ok, 1 error"


def test_a_terminal() -> None:
    """On a terminal what runs has a line, with its cell; sequences are the console's own."""
    made, sent = screen(terminal=True)
    show(made)
    assert "print(1)" in sent.getvalue()
    assert not set(sent.getvalue()) & set("\x07\x9b\u202e\udcff")
    assert "\x1b]" not in sent.getvalue()
    assert "\x1b[2J" not in sent.getvalue()
    assert "[bold]" in sent.getvalue()


def test_quiet() -> None:
    """Quiet, there are warnings and the summary."""
    made, sent = screen(terminal=True, quiet=True)
    show(made)
    assert "[2/2]" not in sent.getvalue()
    assert "1 ok, 1 error" in sent.getvalue()


def test_a_long_table() -> None:
    """A table has so many rows; what is left out is counted, and what had no turn is not in it."""
    made, sent = screen(terminal=False)
    statuses = [*[Left.NOT_RUN] * 10, *[Outcome.TIMEOUT] * (MAX_ROWS + 5)]
    records = tuple(record(status, job=job(f"{n}.ipynb")) for n, status in enumerate(statuses))
    made.summarise(Summary(records=records, started=BEGUN, duration=1.0, at_once=1), None)
    assert sent.getvalue().count(".ipynb") == MAX_ROWS
    assert "… and 5 more" in sent.getvalue()


def test_a_reader_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens any more: the batch goes on."""
    sent = io.StringIO()
    monkeypatch.setattr("sys.stderr", sent)
    made = BatchScreen(2, quiet=False)

    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sent, "write", broken)
    show(made)


def test_one_reason_for_many() -> None:
    """What a row has in common with the one above it is not said again."""
    made, sent = screen(terminal=False)
    sentences = {"a.ipynb": "no folder", "b.ipynb": "no folder", "c.ipynb": "no file", "d.ipynb": "no folder"}
    refused = tuple(record(Left.REFUSED, said, job=job(name)) for name, said in sentences.items())
    made.summarise(Summary(records=refused, started=BEGUN, duration=2.0, at_once=1), None)
    rows = [line for line in sent.getvalue().splitlines() if ".ipynb" in line]
    assert [row.split(" s ")[1].strip() for row in rows] == ["no folder", "the same", "no file", "no folder"]
