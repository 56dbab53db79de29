"""One attempt at one job: read its notebook, give it its parameters, run it, save it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbformat import NotebookNode

from sandbox_kernel.batches.figures import Album
from sandbox_kernel.batches.fingerprint import Fingerprint
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.batches.record import Record
from sandbox_kernel.batches.sources import read_content, to_notebook
from sandbox_kernel.batches.watcher import Forwarding, Watcher
from sandbox_kernel.notebooks import Destination, NotebookRun, RunOptions

Prepare = Callable[[NotebookNode, Job], Iterable[str]]
"""Puts a job's parameters into its notebook; returns what to warn of."""


@dataclass(frozen=True, slots=True)
class Notebooks:
    """Begins attempts on kernels that are alike."""

    options: RunOptions
    """As for every run; where it starts and how long it may take is each job's."""
    conditions: Mapping[str, Any]
    """What all results depend on, the kernel's name under "kernel"."""
    prepare: Prepare
    """Refuses, with a `NotebookError`, what cannot run."""
    album: Album | None = None
    """Takes figures, where somebody wants them."""

    def __call__(self, job: Job, watcher: Watcher) -> "NotebookAttempt":
        """Return an attempt at the job."""
        return NotebookAttempt(job, self, watcher)


class NotebookAttempt:
    """Runs a job's notebook; see `Attempt`."""

    def __init__(self, job: Job, common: Notebooks, watcher: Watcher) -> None:
        self._job = job
        self._common = common
        self._watcher = watcher
        self._run: NotebookRun | None = None

    async def execute(self) -> Record:
        """Run it. Until the run is under way nothing is awaited: `cancel` always finds one."""
        job = self._job
        nb = self._prepared()
        options = replace(self._common.options, directory=job.directory, timeout=job.timeout)
        target = Destination(job.output, given=False, settled=True)
        self._run = NotebookRun(nb, target, options, Forwarding(job, self._watcher))
        record = Record.of(job, await self._run.execute())
        if self._common.album is None:
            return record
        figures, left_out = self._common.album.take(nb)
        return replace(record, figures=figures, figures_left_out=left_out)

    def cancel(self, why: str) -> None:
        """End it soon."""
        if self._run is not None:
            self._run.cancel(why)

    def _prepared(self) -> NotebookNode:
        """Return the notebook with its parameters, and with a note of what its result is made of."""
        content = read_content(self._job)
        nb = to_notebook(self._job, content)
        for sentence in self._common.prepare(nb, self._job):
            self._watcher.warned(self._job, sentence)
        Fingerprint.of(self._job, content, self._common.conditions).note(nb.metadata)
        return nb
