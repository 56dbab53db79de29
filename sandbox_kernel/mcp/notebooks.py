"""A notebook in the sandbox: its cells one after the other, on the kernel that all calls share."""

from typing import Any

from nbformat import NotebookNode

from sandbox_kernel.mcp.content import Page
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.document import code_cells, for_saving, forget_earlier_run
from sandbox_kernel.notebooks.files import to_text
from sandbox_kernel.session import AsyncSandbox, Execution, Output

MAY_FAIL = "raises-exception"
"""nbclient's tag for a cell whose error does not end the run."""


async def run_cells(sandbox: AsyncSandbox, nb: NotebookNode, page: Page, seconds: float) -> bool:
    """Run the notebook's code, put what it shows on the page and into the notebook; return if all went well.

    :param seconds: for each cell.
    """
    forget_earlier_run(nb)
    for cell in code_cells(nb):
        node = nb.cells[cell.index]
        execution = await sandbox.run(cell.source, timeout=seconds)
        node.outputs, node.execution_count = _outputs(execution), execution.count
        if execution.outputs or not execution.ok:
            page.text(f"[Cell {cell.number} of {cell.total}:]")
            page.execution(execution)
        tolerated = execution.outcome is Outcome.ERROR and MAY_FAIL in node.metadata.get("tags", [])
        if not execution.ok and not tolerated:
            page.note(f"The notebook ended in cell {cell.number} of {cell.total}: {execution.cause}")
            return False
    page.note(f"All {len(code_cells(nb))} code cells ran.")
    return True


def executed(nb: NotebookNode) -> bytes:
    """Return the notebook as its file has it."""
    return to_text(for_saving(nb)).encode()


def _outputs(execution: Execution) -> list[NotebookNode]:
    nodes = [_node(output, execution.count) for output in execution.outputs]
    if error := execution.error:
        fields = {"ename": error.name, "evalue": error.message, "traceback": list(error.raw)}
        nodes.append(NotebookNode(output_type="error", **fields))  # type: ignore[no-untyped-call]
    return nodes


def _node(output: Output, count: int | None) -> NotebookNode:
    fields: dict[str, Any]
    if output.kind in ("stdout", "stderr"):
        fields = {"output_type": "stream", "name": output.kind, "text": output.text}
    else:
        fields = {"output_type": "display_data", "data": dict(output.data), "metadata": dict(output.metadata)}
        if output.kind == "value":
            fields |= {"output_type": "execute_result", "execution_count": count}
    node: NotebookNode = NotebookNode(**fields)  # type: ignore[no-untyped-call]
    return node
