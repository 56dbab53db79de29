"""The cells of a run: each against its deadlines, each on record, and told in its output why it was ended.

- A deadline interrupts first, so that the cell's traceback shows where it was; the kernel is killed later.
- The cause of a death comes from the provisioner, outside the wall. What the kernel says about
  itself is shown, never believed.
"""

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from sandbox_kernel.notebooks.client import EXPLAIN_SECONDS, CellClient
from sandbox_kernel.notebooks.document import RUN_KEY, cell_outcome, code_digest, tells
from sandbox_kernel.notebooks.options import Clock
from sandbox_kernel.notebooks.outputs import notice
from sandbox_kernel.notebooks.progress import Cell, Progress
from sandbox_kernel.notebooks.result import CellRecord, Ending, Outcome
from sandbox_kernel.notebooks.script import is_good_exit
from sandbox_kernel.notebooks.witness import Death

INTERRUPT_SECONDS = 2.0
"""How long an interrupted cell has to come to an end before its kernel is killed."""


class CellRunner:
    """Runs cells of one notebook, and knows of each how it ended."""

    def __init__(
        self, nb: NotebookNode, client: CellClient, progress: Progress, *, is_script: bool = False
    ) -> None:
        """Take what is run.

        :param is_script: whether it is a program, which may end itself.
        """
        self.records: list[CellRecord] = []
        """Of the cells that were started, in their order."""
        self.busy = False
        """Whether the kernel is still at a cell that does not heed its interrupt."""
        self._nb = nb
        self._client = client
        self._progress = progress
        self._is_script = is_script
        self._current: Cell | None = None

    def __repr__(self) -> str:
        return f"<CellRunner at cell {self.number}>"

    @property
    def number(self) -> int | None:
        """The number of the cell that was started last; None before the first."""
        return self._current.number if self._current else None

    async def run(self, cell: Cell, clock: Clock) -> Ending | None:
        """Run one cell; return how the run has ended with it, None if it goes on."""
        self._current = cell
        self._progress.cell_started(cell)
        node, began, outcome = self._nb.cells[cell.index], monotonic(), Outcome.CANCELLED
        started = datetime.now(UTC)
        lost = len(self._client.witness.losses)
        try:
            ending = await self._end_of_cell(cell, node, clock)
            outcome = ending.outcome if ending else cell_outcome(node)
        finally:
            seconds = monotonic() - began
            node.metadata[RUN_KEY] = {
                "outcome": str(outcome),
                "started": started.isoformat(timespec="milliseconds"),
                "duration": round(seconds, 3),
                "code_sha256": code_digest(node.source),
            }
            self.records.append(CellRecord(cell.number, cell.index, outcome, seconds))
            self._progress.cell_finished(cell, outcome, seconds)
            if losses := self._client.witness.losses[lost:]:
                node.metadata[RUN_KEY]["output_lost"] = losses[0]
                self._progress.cell_lost(cell, losses[0])
        return ending

    async def _end_of_cell(self, cell: Cell, node: NotebookNode, clock: Clock) -> Ending | None:
        """Run one cell against both deadlines; return how the run ended with it, or None."""
        seconds, whose = clock.next_deadline()
        known = len(self._client.witness.verdicts)
        due = None if seconds is None else monotonic() + seconds
        task = asyncio.create_task(self._client.async_execute_cell(node, cell.index, cell.number))
        try:
            await asyncio.wait({task}, timeout=seconds)
            # A guard that keeps the same deadline may have been the first to interrupt the cell.
            if not task.done() or (due is not None and monotonic() >= due):
                return await self._stop(task, self.end(Outcome.TIMEOUT, f"{whose} in cell {cell.number}."))
            task.result()
        except CellExecutionError as error:
            if ending := self._ended_by_guard(known):
                return ending
            if self._is_script and is_good_exit(error.ename, error.evalue):
                node.outputs = [output for output in node.outputs if output.output_type != "error"]
                return self.end(Outcome.OK, f"The script ended itself in cell {cell.number}.")
            death = await self._client.death(EXPLAIN_SECONDS)
            if death is None:
                return self.end(Outcome.ERROR, f"Cell {cell.number} raised {_one_line(error)}")
            return self._died(death)
        except DeadKernelError:
            pass
        finally:
            await _cancelled(task)
        death = await self._client.death()
        return self._ended_by_guard(known) if death is None else self._died(death)

    def _ended_by_guard(self, known: int) -> Ending | None:
        """Return the ending where the guard ended the cell: it may know a shorter deadline, or a limit."""
        for kind, sentence in self._client.witness.verdicts[known:]:
            ending = Ending.from_kind(kind, f"Cell {self.number}: {sentence}", self.number)
            self._tell(ending.outcome, sentence)
            return ending
        return None

    async def _stop(self, task: asyncio.Task[Any], ending: Ending) -> Ending:
        """Interrupt a cell that is out of time, and wait a little for its traceback."""
        if not task.done():
            await self._client.interrupt()
            await asyncio.wait({task}, timeout=INTERRUPT_SECONDS)
            self.busy = not task.done()
        self._tell(ending.outcome, ending.sentence)
        return ending

    def _died(self, death: Death) -> Ending:
        ending = Ending.from_kind(death.kind, f"Cell {self.number}: {death.sentence}", self.number)
        self._tell(ending.outcome, death.sentence)
        return ending

    def end(self, outcome: Outcome, sentence: str, *, tell: bool = False) -> Ending:
        """Return an ending of the run in the cell that was started last.

        :param tell: put the sentence into that cell's output as well.
        """
        if tell:
            self._tell(outcome, sentence)
        return Ending(outcome, sentence, self.number)

    def _tell(self, outcome: Outcome, sentence: str) -> None:
        """Put the sentence into the current cell's output, unless the guard has done so already."""
        if self._current is not None and not tells(self._nb.cells[self._current.index], sentence):
            output = notice(f"Run ended ({outcome})", sentence)
            self._nb.cells[self._current.index].outputs.append(output)
            self._progress.cell_output(self._current, output)

    def heard(self, index: int, output: NotebookNode) -> None:
        """Tell the watcher of an output, if it is the current cell's."""
        if self._current is not None and self._current.index == index:
            self._progress.cell_output(self._current, output)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel the task and wait for its end, without taking its failure as ours."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


def _one_line(error: CellExecutionError) -> str:
    """Return the error's name and text, cut to a line: both come from the kernel."""
    lines = f"{error.ename}: {error.evalue}".strip().removesuffix(":").splitlines()
    return lines[0][:300] if lines else "an error"
