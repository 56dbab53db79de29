"""What papermill leaves in a notebook, left here as well: its readers find what they look for.

`metadata.papermill` of the notebook (parameters, paths, times) and of each cell (status, times),
and two Markdown cells that lead to where a run has failed. Only in notebooks that were `prepare`d,
as the command line does. How a run ended is in `metadata.sandbox_kernel`: this is a copy for tools.
"""

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from sandbox_kernel.notebooks.document import RUN_KEY, code_cells
from sandbox_kernel.notebooks.parameters.literals import plain
from sandbox_kernel.notebooks.result import Outcome, Result

KEY: Final = "papermill"
MARKER_TAG: Final = "papermill-error-cell-tag"
"""papermill's name for the cells that say where a run has failed; both remove them when they run again."""
_ANCHOR: Final = "papermill-error-cell"


def prepare(nb: NotebookNode, source: str, target: str) -> None:
    """Remove what an earlier run has noted, but for its outputs; note whence and whither this one goes."""
    nb.metadata.pop(RUN_KEY, None)
    nb.cells = [cell for cell in nb.cells if not is_marker(cell)]
    for cell in nb.cells:
        for key in (KEY, RUN_KEY):
            cell.metadata.pop(key, None)
    nb.metadata[KEY] = {
        "default_parameters": {},
        "environment_variables": {},
        "parameters": {},
        "input_path": source,
        "output_path": target,
    }


def note_parameters(nb: NotebookNode, parameters: Mapping[str, object]) -> None:
    """Note the values that were put into a notebook that was `prepare`d."""
    nb.metadata[KEY]["parameters"] = plain(parameters)


def record(nb: NotebookNode, result: Result) -> None:
    """Note how far the run of a notebook is that was `prepare`d; others stay as they are."""
    note = nb.metadata.get(KEY)
    if not isinstance(note, dict):
        return
    running = result.outcome is Outcome.RUNNING
    failed = not running and result.outcome is not Outcome.OK
    note["start_time"] = result.started.isoformat()
    note["end_time"] = None if running else (result.started + timedelta(seconds=result.duration)).isoformat()
    note["duration"] = None if running else round(result.duration, 3)
    note["exception"] = True if failed else None
    last = next((cell.index for cell in code_cells(nb) if failed and cell.number == result.cell), None)
    reached = len(nb.cells) if result.outcome is Outcome.OK else last or 0
    for index, cell in enumerate(nb.cells):
        cell.metadata[KEY] = _of_cell(cell, failed=index == last, passed=index < reached)


def _of_cell(cell: NotebookNode, *, failed: bool, passed: bool) -> dict[str, Any]:
    """Return papermill's note on a cell; `passed`: the run has got past it, or did not have to run it."""
    note = dict.fromkeys(("exception", "start_time", "end_time", "duration"))
    own = cell.metadata.get(RUN_KEY)
    if own is None:
        return {**note, "status": "failed" if failed else "completed" if passed else "pending"}
    note |= {"exception": failed, "duration": own.get("duration"), "start_time": own.get("started")}
    if own.get("started"):
        ended = datetime.fromisoformat(own["started"]) + timedelta(seconds=own["duration"])
        note["end_time"] = ended.isoformat()
    return {**note, "status": "failed" if failed else "completed"}


def marked(nb: NotebookNode) -> NotebookNode:
    """Return the notebook to be saved: where a cell has raised, it says so at its top, and before the cell.

    Not where it replaces its own source: whoever goes on to write there wants none of our cells.
    """
    note, run = nb.metadata.get(KEY), nb.metadata.get(RUN_KEY, {})
    if not isinstance(note, dict) or run.get("outcome") != Outcome.ERROR:
        return nb
    cells = [cell for cell in nb.cells if not is_marker(cell)]
    failed = [index for index, cell in enumerate(cells) if cell.metadata[KEY]["status"] == "failed"]
    if not failed or note.get("input_path") == note.get("output_path"):
        return nb
    top = _marker(nb, f'<a href="#{_ANCHOR}">A cell raised an error, which ended this run.</a>')
    here = _marker(nb, f'<span id="{_ANCHOR}"><b>The cell below ended this run with an error.</b></span>')
    result = copy.copy(nb)
    result.cells = [top, *cells[: failed[0]], here, *cells[failed[0] :]]
    return result


def is_marker(cell: NotebookNode) -> bool:
    """Tell whether papermill, or we, have put the cell in to say where a run has failed."""
    return MARKER_TAG in cell.metadata.get("tags", [])


def _marker(nb: NotebookNode, text: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell(text, metadata={"tags": [MARKER_TAG]})  # type: ignore[no-untyped-call]
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):  # whose cells have no ids
        del cell["id"]
    return cell
