"""What papermill's readers look for in a notebook; papermill itself is compared in `test_parity`."""

from datetime import UTC, datetime

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from sandbox_kernel.notebooks import Outcome, Result, papermill
from sandbox_kernel.notebooks.document import RUN_KEY
from sandbox_kernel.notebooks.parameters import parameterize
from tests.notebooks.runs import notebook, run

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def result(outcome: Outcome, cell: int | None = None) -> Result:
    known = {"cells": 3, "kernel": "k", "started": STARTED, "duration": 2.5}
    return Result(outcome=outcome, sentence="x", cell=cell, cells_run=cell or 0, **known)


def ran(nb: NotebookNode, *indices: int) -> None:
    for index in indices:
        nb.cells[index].metadata[RUN_KEY] = {"outcome": "ok", "duration": 1.0, "started": STARTED.isoformat()}


def statuses(nb: NotebookNode) -> list[str]:
    return [cell.metadata.papermill.status for cell in nb.cells]


def prepared() -> NotebookNode:
    nb = notebook("1", "", "2", "3")
    papermill.prepare(nb, "a.ipynb", "b.ipynb")
    return nb


def test_ok() -> None:
    """At the end of a run all cells are completed; those that ran have their times."""
    nb = prepared()
    ran(nb, 0, 2, 3)
    papermill.record(nb, result(Outcome.OK))
    assert statuses(nb) == ["completed"] * 4
    assert nb.metadata.papermill.exception is None
    assert nb.metadata.papermill.end_time == "2026-01-02T03:04:07.500000+00:00"
    assert nb.cells[0].metadata.papermill.end_time == "2026-01-02T03:04:06+00:00"
    assert papermill.marked(nb) is nb


def test_on_the_way() -> None:
    """Until then, those that have not run are pending, and the run has no end."""
    nb = prepared()
    ran(nb, 0)
    papermill.record(nb, result(Outcome.RUNNING, cell=1))
    assert statuses(nb) == ["completed", "pending", "pending", "pending"]
    assert (nb.metadata.papermill.end_time, nb.metadata.papermill.exception) == (None, None)


def test_failed() -> None:
    """The cell that ended the run has failed, and two cells lead to it; the next run removes them."""
    nb = prepared()
    ran(nb, 0, 2)
    nb.metadata[RUN_KEY] = {"outcome": "error"}
    papermill.record(nb, result(Outcome.ERROR, cell=2))
    assert statuses(nb) == ["completed", "completed", "failed", "pending"]
    assert nb.metadata.papermill.exception is True
    saved = papermill.marked(nb)
    assert [papermill.is_marker(cell) for cell in saved.cells] == [True, False, False, True, False, False]
    assert len(nb.cells) == 4
    papermill.prepare(saved, "b.ipynb", "c.ipynb")
    assert [cell.source for cell in saved.cells] == ["1", "", "2", "3"]
    assert not any({papermill.KEY, RUN_KEY} & cell.metadata.keys() for cell in saved.cells)
    assert RUN_KEY not in saved.metadata


def test_older_formats() -> None:
    """A notebook of a format whose cells have no ids stays a valid one."""
    nb = notebook("1", "2")
    nb.nbformat_minor = 4
    for cell in nb.cells:
        del cell["id"]
    papermill.prepare(nb, "a.ipynb", "b.ipynb")
    ran(nb, 0)
    nb.metadata[RUN_KEY] = {"outcome": "error"}
    papermill.record(nb, result(Outcome.ERROR, cell=1))
    saved = papermill.marked(nb)
    assert papermill.is_marker(saved.cells[0])
    nbformat.validate(saved)
    parameterize(saved, {"alpha": 1}, report=True)
    nbformat.validate(saved)


def test_other_ends() -> None:
    """A run that ended otherwise has no cell to be led to: what ended it is said where it was."""
    nb = prepared()
    ran(nb, 0)
    nb.metadata[RUN_KEY] = {"outcome": "limit"}
    papermill.record(nb, result(Outcome.LIMIT, cell=1))
    assert statuses(nb) == ["failed", "pending", "pending", "pending"]
    assert papermill.marked(nb) is nb


async def test_cells_that_exit() -> None:
    """A cell that exits ends the run with an error, whatever it exits with: not all of the notebook ran."""
    ended = await run(notebook("import sys; sys.exit(0)", "1"))
    assert (ended.outcome, ended.cell, ended.cells_run) == (Outcome.ERROR, 1, 1)


def test_not_started() -> None:
    """A kernel that did not start is no cell's failure."""
    nb = prepared()
    papermill.record(nb, result(Outcome.DIED))
    assert statuses(nb) == ["pending"] * 4
    assert papermill.marked(nb) is nb


def test_in_place() -> None:
    """A notebook that is replaced by its own result gets no cells of ours."""
    nb = notebook("1")
    nb.metadata[RUN_KEY] = {"outcome": "error"}
    papermill.prepare(nb, "a.ipynb", "a.ipynb")
    papermill.record(nb, result(Outcome.ERROR, cell=1))
    assert papermill.marked(nb) is nb


def test_only_where_it_was_prepared() -> None:
    """Other notebooks, and what a stranger has written there, stay as they are."""
    for note in (None, "x", ["x"]):
        nb = notebook("1")
        if note:
            nb.metadata["papermill"] = note
        nb.metadata[RUN_KEY] = {"outcome": "error"}
        nb.cells.append(new_markdown_cell("x"))
        before = nb.copy()
        papermill.record(nb, result(Outcome.ERROR, cell=1))
        assert nb == before
        assert papermill.marked(nb) is nb
