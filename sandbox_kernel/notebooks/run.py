"""One run of one notebook, from asking for a kernel to the saved file.

Rules:
- Every run ends in exactly one `Ending`, also when it is cancelled, out of time, or its kernel dies.
- The notebook is saved before the kernel is asked to go: whatever happens then, the result is on
  disk. It is also saved after each cell, for the day somebody pulls the plug. A pipe or device is
  given the final notebook only, and waiting for its reader is cancelled like any other wait.
- Artifacts are brought out of a kernel that is idle, whether its last cell came to its end, raised an
  error or was interrupted at a deadline. With a kernel that died, or is killed, they are gone.
- Where it is saved is decided before anything runs: see `destination`.
- How a cell ends, and is stopped at a deadline, has a module of its own: see `cells`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from jupyter_client.kernelspec import NoSuchKernel
from nbformat import NotebookNode

from sandbox_kernel.errors import ExitCode, NotebookError, SandboxError
from sandbox_kernel.notebooks.artifacts import CANCELLED, NO_KERNEL, NOT_IDLE, Harvest
from sandbox_kernel.notebooks.cells import CellRunner
from sandbox_kernel.notebooks.client import EXPLAIN_SECONDS, CellClient
from sandbox_kernel.notebooks.destination import Destination
from sandbox_kernel.notebooks.document import code_cells, for_saving, forget_earlier_run, input_digest
from sandbox_kernel.notebooks.options import DEFAULT_KERNEL, Clock, RunOptions
from sandbox_kernel.notebooks.parameters import parameterize
from sandbox_kernel.notebooks.progress import Progress
from sandbox_kernel.notebooks.result import Ending, Outcome, Result
from sandbox_kernel.notebooks.saving import Saver
from sandbox_kernel.notebooks.script import parse_script, script_file
from sandbox_kernel.notebooks.sources import read_source
from sandbox_kernel.notebooks.specs import settings_of
from sandbox_kernel.notebooks.transfer import KernelFiles
from sandbox_kernel.notebooks.witness import Death

__all__ = ["DEFAULT_KERNEL", "NotebookRun", "RunOptions", "run_notebook"]

UNREAD_SECONDS = 5.0
"""How long the result of a cancelled run waits for the reader of the pipe that it goes to."""


async def run_notebook(
    source: NotebookNode | Path | str,
    target: Path | Destination | None = None,
    options: RunOptions | None = None,
    progress: Progress | None = None,
    *,
    parameters: Mapping[str, object] | None = None,
) -> Result:
    """Run a notebook and save it to `target`, if there is one; return how it ended, and what it is by then.

    When the calling task is cancelled it is saved all the same, its kernel is gone, and then
    `CancelledError` is raised.

    :param source: a notebook, which is changed in place; the file of a notebook or Python script, which is
        not; or a script's text, with cells where `# %%` divides it.
    :param parameters: set in a cell after the one that is tagged `parameters`, or before all others.
    :raises NotebookError: the source cannot be read, a parameter cannot be written, there is no such kernel,
        or the target cannot be written; nothing was run.
    :raises SandboxError: the sandbox was refused before anything ran (its policy, its engine).
    """
    if script := script_file(source):
        options = replace(options or RunOptions(), script=script)
    nb = parse_script(source) if isinstance(source, str) else source
    nb = read_source(nb) if isinstance(nb, Path) else nb
    progress = progress or Progress()
    for sentence in parameterize(nb, parameters or {}):
        progress.warned(sentence)
    return await NotebookRun(nb, target, options, progress).execute()


PROGRAMS_MAY_EXIT: Final = "__import__('warnings').filterwarnings('ignore', 'To exit: use')"
"""Run before a script: IPython would teach it how a session is ended."""


class NotebookRun:
    """One run that can be cancelled from elsewhere; see `run_notebook`. Use an instance once."""

    def __init__(
        self,
        nb: NotebookNode,
        target: Path | Destination | None,
        options: RunOptions | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.nb = nb
        self.policy: object = None
        """What the kernel is allowed, once it runs, where its provisioner says so."""
        self._target = Destination(target) if isinstance(target, Path) else target
        self._options = options or RunOptions()
        self._progress = progress or Progress()
        self._cells = code_cells(nb)
        self._cancelled = "The run was cancelled."
        self._work: asyncio.Task[Ending] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._saver = Saver(nb, self._target)
        self._harvest = Harvest(self._options.artifacts)
        policy = self._options.policy
        self._client = CellClient(
            nb,
            heard=self._on_output,
            sandboxed=self._options.sandboxed,
            settings=None if policy is None else settings_of(policy),
            kernel_name=self._options.kernel,
            allow_errors=self._options.allow_errors,
        )
        is_script = self._options.script is not None
        self._runner = CellRunner(nb, self._client, self._progress, is_script=is_script)
        self._input = input_digest(nb)

    def __repr__(self) -> str:
        state = "not started" if self._work is None else "ended" if self._work.done() else "running"
        return f"<NotebookRun {self._target} {state}, cell {self._runner.number} of {len(self._cells)}>"

    def cancel(self, why: str | None = None) -> None:
        """End the run soon: `execute` returns with outcome `cancelled` and the sentence `why`."""
        self._cancelled = why or self._cancelled
        for task in (self._work, self._saving):
            if task is not None:
                task.cancel()

    async def execute(self) -> Result:
        """Run, save, clean up; return how it ended. Raises as `run_notebook`."""
        with self._target or nullcontext(), self._harvest:
            if self._target:
                self._target.refuse_other_content()
            return await self._execute()

    async def _execute(self) -> Result:
        self._clock = Clock(self._options)
        abrupt = True
        try:
            result = await self._save_at_last(self._result(await self._ending()))
            abrupt = result.outcome not in (Outcome.OK, Outcome.ERROR)
        except BaseException as error:
            if self._runner.number is not None:  # a watcher failed, or we did: what was computed is kept
                ending = self._runner.end(Outcome.LOST, f"The run was broken off: {error!r}.")
                self._saver.save(self._result(ending))
            raise
        finally:
            await self._close(now=abrupt)
        caller = asyncio.current_task()
        if caller is not None and caller.cancelling():
            raise asyncio.CancelledError
        usage = self._client.usage  # complete only when the kernel is gone
        return replace(
            result,
            cpu_seconds=usage.cpu_seconds,
            peak_memory=usage.peak_memory,
            output_sha256=self._saver.digest,
            notebook=for_saving(self.nb),
        )

    async def _ending(self) -> Ending:
        """Do the work in a task of its own; a cancellation, whoever's, is an ending like others."""
        self._work = asyncio.create_task(self._run())
        try:
            return await self._work
        except asyncio.CancelledError:
            self._harvest.give_up(CANCELLED)
            return self._runner.end(Outcome.CANCELLED, self._cancelled, tell=True)
        finally:
            self._client.set_widgets_metadata()

    async def _run(self) -> Ending:
        forget_earlier_run(self.nb)
        ending = await self._start() or await self._run_cells()
        self._clock.stop()
        if self._harvest.wanted:
            self._saver.save(self._result(ending))
            await self._bring_in()
        return ending

    async def _bring_in(self) -> None:
        """Collect the artifacts, if they are within reach; what is left out is told."""
        if not self._harvest.prepared or await self._client.death() is not None:
            self._harvest.give_up(NO_KERNEL)
        elif self._runner.busy:
            self._harvest.give_up(NOT_IDLE)
        else:
            await self._harvest.bring_in(
                KernelFiles(self._client.ask), tidy=self._client.witness.wall is None
            )
        for sentence in self._harvest.collected.left_out:
            self._progress.warned(sentence)

    async def _run_cells(self) -> Ending:
        if self._target and self._target.replaces:  # else an older result would be there until a cell ends
            self._saver.on_the_way(self._unfinished)
        for cell in self._cells:
            if ending := await self._runner.run(cell, self._clock):
                return ending
            if cell.number < cell.total:  # else it is saved as ended, at once
                self._saver.on_the_way(self._unfinished)
        count = len(self._cells)
        return Ending(Outcome.OK, f"{count} code cell{'s' * (count != 1)} ran.")

    async def _start(self) -> Ending | None:
        options = self._options
        self._progress.kernel_starting(options.kernel)
        try:
            async with asyncio.timeout(self._clock.left()) as deadline:
                await self._client.start(str(options.directory), options.start_timeout)
        except TimeoutError:
            if not deadline.expired():
                raise
            sentence = f"{self._clock.whole()[1]} while the kernel started."
            return self._runner.end(Outcome.TIMEOUT, sentence)
        except NoSuchKernel as error:
            raise NotebookError(_no_such_kernel(options.kernel)) from error
        except (SandboxError, RuntimeError) as error:
            return await self._failed_start(error)
        try:
            await self._harvest.prepare(KernelFiles(self._client.ask), options.kernel)
            await self._name_script()
        except SandboxError:
            death = await self._client.death(EXPLAIN_SECONDS)
            if death is None:
                raise
            return _dead_at_start(death)
        self.policy = self._client.witness.policy
        self._progress.kernel_ready(self._clock.seconds, self._client.witness.wall)
        return None

    async def _name_script(self) -> None:
        """Let a script know its file and its arguments, as Python does."""
        if self._options.script:
            argv = [str(self._options.script), *self._options.arguments]
            code = f"__file__ = {argv[0]!a}\n__import__('sys').argv[:] = {argv!a}\n{PROGRAMS_MAY_EXIT}"
            await self._client.ask({"code": code, "silent": True, "store_history": False}, ())

    async def _failed_start(self, error: Exception) -> Ending:
        if isinstance(error, SandboxError):
            if error.exit_code == ExitCode.USAGE:
                raise error
            return Ending.of_start(getattr(error, "kind", "lost"), str(error))
        death = await self._client.death()
        if death is None:
            return Ending(Outcome.LOST, f"The kernel did not start: {error}.")
        return _dead_at_start(death)

    def _on_output(self, index: int, output: NotebookNode) -> None:
        self._runner.heard(index, output)

    def _result(self, ending: Ending) -> Result:
        return Result(
            outcome=ending.outcome,
            sentence=ending.sentence,
            cell=ending.cell,
            cells_run=self._runner.number or 0,
            cells=len(self._cells),
            kernel=self._options.kernel,
            started=self._clock.started,
            duration=self._clock.seconds,
            records=tuple(self._runner.records),
            artifacts=self._harvest.collected.artifacts,
            left_out=self._harvest.collected.left_out,
            input_sha256=self._input,
            provenance=self._client.witness.provenance,
        )

    def _unfinished(self) -> Result:
        return self._result(self._runner.end(Outcome.RUNNING, "The run has not ended."))

    async def _save_at_last(self, result: Result) -> Result:
        """Save; return the result, another one if it was cancelled while a pipe's reader was waited for."""
        self._saver.save(result)
        if self._target is None or not self._target.is_stream:
            return result
        patience = UNREAD_SECONDS if result.outcome is Outcome.CANCELLED else None
        self._saving = asyncio.create_task(self._saver.pour())
        try:
            await asyncio.wait_for(self._saving, patience)
        except (asyncio.CancelledError, TimeoutError):
            sentence = f"{self._cancelled} {self._target.unread}"
            return replace(result, outcome=Outcome.CANCELLED, sentence=sentence)
        return result

    async def _close(self, *, now: bool) -> None:
        """Let the kernel go. A cancelled close still closes."""
        closing = asyncio.ensure_future(self._client.close(now=now))
        while not closing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(closing)
        closing.result()
        for sentence in self._client.warnings:
            self._progress.warned(sentence)


def _dead_at_start(death: Death) -> Ending:
    return Ending.of_start(death.kind, f"The kernel died while it started. {death.sentence}")


def _no_such_kernel(name: str) -> str:
    return (
        f"there is no kernel named {name!r}; `jupyter kernelspec list` shows those that there are, "
        "and `sandbox-kernel install` adds a sandboxed one."
    )
