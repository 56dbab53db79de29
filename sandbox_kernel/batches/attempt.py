"""One attempt at one job: read its notebook, give it its parameters, run it, save it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from sandbox_kernel.batches.artifacts import ArtifactFolders
from sandbox_kernel.batches.figures import Album
from sandbox_kernel.batches.fingerprint import Fingerprint
from sandbox_kernel.batches.naming import digest
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.batches.record import Record
from sandbox_kernel.batches.sources import read_content, to_notebook
from sandbox_kernel.batches.watcher import Forwarding, Watcher
from sandbox_kernel.notebooks import Destination, NotebookRun, Result, RunOptions
from sandbox_kernel.notebooks.script import script_file

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
    artifacts: ArtifactFolders | None = None
    """Where artifacts are put, where somebody wants them; entered while runs go on."""
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
        target = Destination(job.output, given=False, settled=True)
        with self._artifacts() as place:
            options = replace(
                self._common.options,
                directory=job.directory,
                script=script_file(job.notebook),
                timeout=job.timeout,
                artifacts=place,
            )
            self._run = NotebookRun(nb, target, options, Forwarding(job, self._watcher))
            record = self._recorded(await self._run.execute())
        if self._common.album is None:
            return record
        figures, left_out = self._common.album.take(nb)
        return replace(record, figures=figures, figures_left_out=left_out)

    def _artifacts(self) -> AbstractContextManager[Path | None]:
        folders = self._common.artifacts
        return folders.held(self._job) if folders else nullcontext()

    def _recorded(self, result: Result) -> Record:
        record = Record.of(self._job, result)
        if self._common.artifacts is None:
            return record
        return replace(record, artifacts=result.artifacts, artifacts_in=self._common.artifacts.of(self._job))

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
        Fingerprint.of(self._job, digest(content), self._common.conditions).note(nb.metadata)
        return nb
