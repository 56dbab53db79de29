"""The notebook as a document: which cells run, what an earlier run left, what is saved."""

import copy
import hashlib
import json

from nbformat import NotebookNode

from sandbox_kernel.notebooks.outputs import presentable, unsaveable
from sandbox_kernel.notebooks.progress import Cell
from sandbox_kernel.notebooks.result import Outcome

SKIP_TAG = "skip-execution"
"""nbclient's and papermill's name for a cell that is left out."""
RUN_KEY = "sandbox_kernel"
"""Where, in the metadata of notebook and cells, a run leaves what it has to say."""

_FROM_THE_KERNEL = {"widgets", "language_info"}


def code_cells(nb: NotebookNode) -> list[Cell]:
    """Return the cells that a run executes: code, not blank, not tagged to be skipped."""
    found = [(index, cell.source) for index, cell in enumerate(nb.cells) if _runs(cell)]
    return [Cell(index, number, len(found), source) for number, (index, source) in enumerate(found, 1)]


def _runs(cell: NotebookNode) -> bool:
    skipped = SKIP_TAG in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped


def forget_earlier_run(nb: NotebookNode) -> None:
    """Remove outputs and notes: nothing of an earlier run may pass for a result of the next."""
    nb.metadata.pop(RUN_KEY, None)
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            for key in ("execution", RUN_KEY):
                cell.metadata.pop(key, None)


def for_saving(nb: NotebookNode) -> NotebookNode:
    """Return a copy with outputs as they are saved.

    The original stays as it is: while the run goes on, its outputs are still referred to by index.
    """
    saved = copy.copy(nb)
    saved.metadata = copy.copy(nb.metadata)
    for key in _FROM_THE_KERNEL & saved.metadata.keys():
        if unsaveable(saved.metadata[key]):
            del saved.metadata[key]
    saved.cells = [_cell_for_saving(cell) for cell in nb.cells]
    return saved


def _cell_for_saving(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type != "code":
        return cell
    saved = copy.copy(cell)
    saved.outputs = presentable(cell.outputs)
    if not isinstance(cell.execution_count, int):
        saved.execution_count = None
    return saved


def cell_outcome(cell: NotebookNode) -> Outcome:
    """Return how a cell that came to its end fared."""
    failed = any(output.get("output_type") == "error" for output in cell.outputs)
    return Outcome.ERROR if failed else Outcome.OK


def code_digest(source: str) -> str:
    """Return the SHA-256 of a cell's code, by which it is found in an audit log."""
    return digest(source.encode("utf-8", "surrogatepass"))


def input_digest(nb: NotebookNode) -> str:
    """Return the SHA-256 of what a notebook would have run: its cells' kinds, texts and tags, as JSON.

    What an earlier run has left does not count, nor does anything else that no kernel is sent.
    """
    cells = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in nb.cells]
    return digest(json.dumps(cells, separators=(",", ":")).encode())


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as results and notebooks have it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tells(cell: NotebookNode, sentence: str) -> bool:
    """Tell whether one of the cell's last outputs carries the sentence already."""
    return any(
        sentence in f"{output.get('text', '')}{output.get('evalue', '')}" for output in cell.outputs[-3:]
    )
