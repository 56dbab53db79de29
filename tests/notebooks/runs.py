"""Small notebooks, and a watcher that remembers."""

import asyncio
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from sandbox_kernel.notebooks import Cell, NotebookRun, Outcome, Progress, Result, RunOptions

PLAIN = "python3"
"""A kernel without a wall: what is tested with it must hold for every kernel."""


def notebook(*sources: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


class Watcher(Progress):
    """Remembers what it was told; `said(text)` waits until a cell has printed that."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.printed = ""
        self.warnings: list[str] = []
        self._news = asyncio.Event()

    def kernel_ready(self, seconds: float, wall: str | None) -> None:
        self.events.append(("ready",))

    def cell_started(self, cell: Cell) -> None:
        self.events.append(("started", cell.number))

    def cell_output(self, cell: Cell, output: NotebookNode) -> None:
        self.printed += output.get("text", "")
        self._news.set()

    def cell_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        self.events.append(("finished", cell.number, str(outcome)))

    def warned(self, sentence: str) -> None:
        self.warnings.append(sentence)

    async def said(self, text: str) -> None:
        async with asyncio.timeout(30):
            while text not in self.printed:
                self._news.clear()
                await self._news.wait()


async def run(nb: NotebookNode, target: Path | None = None, **options: Any) -> Result:
    options.setdefault("kernel", PLAIN)
    return await NotebookRun(nb, target, RunOptions(**options)).execute()


def saved(path: Path) -> NotebookNode:
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    return nb


def text_of(cell: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def errors_of(cell: NotebookNode) -> list[str]:
    return [f"{output.ename}: {output.evalue}" for output in cell.outputs if output.output_type == "error"]
