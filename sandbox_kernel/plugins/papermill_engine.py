"""A run of ours, told to papermill in its own words.

Rules:
- What papermill keeps and prints (its metadata, progress, logs, files, exit codes) is made by papermill:
  its execution manager is told of every cell, as its own engine does. Beside it, under `sandbox_kernel`,
  stands what a run of ours has to say.
- The run works on a copy. papermill writes the notebook that it holds at any moment, and outputs as they
  come from a kernel may be such as cannot be written: it gets them as they are saved.
- The kernel is sandboxed whatever its kernelspec says, or nothing runs; nothing of this process is changed
  for that, for it may have other kernels.
- The run has a thread and an event loop of its own: papermill is also called where a loop runs already, as
  in a notebook. Ctrl-C and SIGTERM cancel it, save what there is, and then do what they do.
"""

import asyncio
import copy
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.engines import Engine as PapermillEngine  # type: ignore[import-untyped]
from papermill.log import logger  # type: ignore[import-untyped]

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Cell, NotebookRun, Outcome, Progress, Result, RunOptions
from sandbox_kernel.notebooks.document import RUN_KEY, for_saving
from sandbox_kernel.notebooks.outputs import presentable

_OURS: Final = ("execution", RUN_KEY)
"""What a run leaves in a cell's metadata."""
_ABOUT_THE_NOTEBOOK: Final = {"language_info", "widgets", RUN_KEY}
"""What it leaves in the notebook's."""
_MAY_FAIL: Final = "raises-exception"
"""nbclient's tag for a cell whose error does not end the run."""
_MEANINGLESS: Final = {"input_path", "iopub_timeout", "raise_on_iopub_timeout", "nest_asyncio", "log"}
"""Options of papermill's engine that have no counterpart here, and whose result is the same without."""
_MORE_MEMORY: Final = (
    "SANDBOX_KERNEL_MEMORY=2g, as a variable of papermill's environment, allows 2 GiB, unless the kernel was "
    "installed with a policy of its own."
)
"""What to do about a kernel that was killed for memory: papermill has no option that would allow more."""


class Engine(PapermillEngine):  # type: ignore[misc]  # papermill has no types
    """Executes notebooks sandboxed; see `SandboxEngine`."""

    @classmethod
    def execute_managed_notebook(  # noqa: PLR0913 -- papermill's signature
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: float | None = 60,
        execution_timeout: float | None = None,
        timeout: float | None = None,
        allow_errors: bool = False,
        **others: Any,
    ) -> NotebookNode:
        """Execute the manager's notebook and tell the manager of it; return the notebook.

        Raises as `SandboxEngine.execute_notebook`.
        """
        for name in sorted(others.keys() - _MEANINGLESS):
            raise NotebookError(f"papermill's engine 'sandbox' has no option {name!r}; leave it out.")
        options = RunOptions(
            kernel=kernel_name,
            sandboxed=True,
            directory=Path.cwd(),  # papermill has changed into its --cwd
            cell_timeout=execution_timeout or timeout,
            start_timeout=start_timeout or 60,
            allow_errors=allow_errors,
        )
        nb = copy.deepcopy(nb_man.nb)
        watcher = _Watcher(nb_man, nb, options, _Log(log_output, stdout_file, stderr_file))
        result = _in_thread(NotebookRun(nb, None, options, watcher), watcher)
        _raise_for(result)
        executed: NotebookNode = nb_man.nb
        return executed


def _raise_for(result: Result) -> None:
    """Raise what papermill's own engine raises; an error in a cell is found by papermill, in the outputs."""
    match result.outcome:
        case Outcome.OK | Outcome.ERROR:
            return
        case Outcome.TIMEOUT:
            raise CellTimeoutError(result.sentence)
        case Outcome.MEMORY:
            raise DeadKernelError(f"{result.sentence} {_MORE_MEMORY}")
        case _:
            raise DeadKernelError(result.sentence)


class _Log:
    """Where papermill's options send what cells print; in the words of its own engine."""

    def __init__(self, log_output: bool, stdout_file: Any, stderr_file: Any) -> None:
        self._logs = log_output
        self._files = {"stdout": stdout_file, "stderr": stderr_file}

    def write(self, output: NotebookNode) -> None:
        """Log the output, and write it to the file of its stream."""
        if output.output_type != "stream":
            text = output.get("data", {}).get("text/plain")
            if self._logs and text is not None:
                logger.info("".join(text))
            return
        if self._logs:
            (logger.warning if output.name == "stderr" else logger.info)("".join(output.text))
        if file := self._files.get(output.name):
            file.write("".join(output.text))
            file.flush()


class _Watcher(Progress):
    """Tells papermill's execution manager what happens to each of its cells."""

    def __init__(self, nb_man: Any, nb: NotebookNode, options: RunOptions, log: _Log) -> None:
        self._nb_man = nb_man
        self._nb = nb
        self._options = options
        self._log = log
        self._next = 0
        """The first cell of the notebook that papermill has not been told of."""

    def kernel_ready(self, seconds: float, wall: str | None) -> None:  # noqa: ARG002 -- Progress's signature
        """Log it, as papermill does, and what stands around it."""
        logger.info(f"Executing notebook with kernel: {self._options.kernel}")
        logger.info(f"Sandbox: {wall}")

    def cell_started(self, cell: Cell) -> None:
        """Begin the cell, and be done with those before it that are not run."""
        self._pass_over(cell.index)
        self._nb_man.cell_start(self._cells[cell.index], cell.index)

    def cell_output(self, cell: Cell, output: NotebookNode) -> None:
        """Log it; save it, if papermill is to save again."""
        if self._is_due():
            self._take(cell.index)
            self._nb_man.autosave_cell()
        self._log.write(output)

    def cell_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:  # noqa: ARG002 -- as above
        """End the cell, as failed where that ends the run."""
        self._take(cell.index)
        node = self._cells[cell.index]
        if outcome is not Outcome.OK and not (outcome is Outcome.ERROR and self._may_fail(node)):
            self._nb_man.cell_exception(node, cell_index=cell.index)
        self._nb_man.cell_complete(node, cell_index=cell.index)
        self._next = cell.index + 1

    def warned(self, sentence: str) -> None:
        """Log it."""
        logger.warning(sentence)

    def ended(self, result: Result) -> None:
        """Take over what is said of the whole notebook; nothing is saved yet, papermill does that next."""
        saved = for_saving(self._nb)
        self._nb_man.nb.metadata.update(
            {key: saved.metadata[key] for key in _ABOUT_THE_NOTEBOOK & saved.metadata.keys()}
        )
        if result.outcome is Outcome.OK:
            self._pass_over(len(self._cells))
        elif self._next:
            self._take(self._next - 1)  # what ended the run may have been said after the cell's end
        elif self._cells:  # or papermill calls what never ran completed
            self._nb_man.cell_exception(self._cells[0], cell_index=0)

    @property
    def _cells(self) -> list[NotebookNode]:
        cells: list[NotebookNode] = self._nb_man.nb.cells
        return cells

    def _pass_over(self, end: int) -> None:
        """Have cells that are not run begun and completed, as papermill does."""
        for index in range(self._next, end):
            self._nb_man.cell_start(self._cells[index], index)
            self._nb_man.cell_complete(self._cells[index], cell_index=index)
        self._next = end

    def _take(self, index: int) -> None:
        """Give papermill a cell's outputs, such as can be written, and what the run says of it."""
        ran, cell = self._nb.cells[index], self._cells[index]
        cell.outputs, cell.execution_count = presentable(ran.outputs), ran.execution_count
        cell.metadata.update({key: ran.metadata[key] for key in _OURS if key in ran.metadata})

    def _is_due(self) -> bool:
        manager = self._nb_man
        elapsed = (manager.now() - manager.last_save_time).total_seconds()
        return bool(manager.autosave_cell_every and elapsed >= manager.autosave_cell_every)

    def _may_fail(self, cell: NotebookNode) -> bool:
        return self._options.allow_errors or _MAY_FAIL in cell.metadata.get("tags", [])


def _in_thread(run: NotebookRun, watcher: _Watcher) -> Result:
    """Execute in a thread; where this one is interrupted meanwhile, cancel the run and wait for its end."""
    began: Future[asyncio.AbstractEventLoop] = Future()
    with ThreadPoolExecutor(1, "sandboxed-run") as pool, _terminable():
        ended = pool.submit(lambda: asyncio.run(_execute(run, watcher, began)))
        try:
            return ended.result()
        except BaseException as error:
            if not ended.done():  # it is not the run that raised
                why = "SIGINT" if isinstance(error, KeyboardInterrupt) else "SIGTERM"
                with suppress(RuntimeError):  # the loop is closed: the run has ended just now
                    began.result().call_soon_threadsafe(run.cancel, f"Cancelled by {why}.")
            raise


async def _execute(run: NotebookRun, watcher: _Watcher, began: Future[asyncio.AbstractEventLoop]) -> Result:
    task = asyncio.ensure_future(run.execute())
    await asyncio.sleep(0)  # it has begun: from here on it can be cancelled
    began.set_result(asyncio.get_running_loop())
    result = await task
    watcher.ended(result)
    return result


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM raise SystemExit, where it would have ended the process before anything is saved."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- a signal handler's signature
    raise SystemExit(128 + number)
