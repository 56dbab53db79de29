"""Jobs and records for tests, and attempts that do what a script says: no kernel has a part in them."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox_kernel.batches import Job, Record, Watcher
from sandbox_kernel.errors import SandboxError
from sandbox_kernel.notebooks import Outcome

BEGUN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)


def job(name: str = "a.ipynb", **fields: Any) -> Job:
    path = Path("/n", name)
    fields.setdefault("output", Path("/out", f"{name}--{fields.get('label', '')}"))
    return Job(**{"notebook": Path(name), "real": path, "directory": path.parent, "group": name} | fields)


def record(status: Any = Outcome.OK, sentence: str = "2 code cells ran.", **fields: Any) -> Record:
    known = {"job": job(), "cells": 2, "cells_run": 2, "started": BEGUN, "duration": 1.0}
    known |= {"cpu_seconds": 0.5, "peak_memory": 80 << 20}
    return Record(**known | fields, status=status, sentence=sentence)


class Scripted(Watcher):
    """Begins attempts that end as they are told to, one after another for each job; notes all that it sees.

    An ending is an outcome, a `Record` without its job, an exception, or an event that never comes.
    """

    def __init__(self, endings: dict[str, Iterable[Any]] | None = None) -> None:
        self._endings = {name: iter(of) for name, of in (endings or {}).items()}
        self.begun_jobs: list[str] = []
        self.ended_jobs: list[str] = []
        self.retried: list[tuple[str, float]] = []
        self.most = 0
        self.running = 0
        self.started = asyncio.Event()

    def __call__(self, job: Job, watcher: Watcher) -> "ScriptedAttempt":
        assert watcher is self
        return ScriptedAttempt(self, job, next(self._endings.get(str(job.notebook), iter(())), Outcome.OK))

    def begun(self, job: Job) -> None:
        self.begun_jobs.append(str(job.notebook))

    def ended(self, record: Record) -> None:
        self.ended_jobs.append(f"{record.job.notebook} {record.status}")

    def retrying(self, job: Job, sentence: str, seconds: float) -> None:
        self.retried.append((str(job.notebook), seconds))


class ScriptedAttempt:
    def __init__(self, script: Scripted, job: Job, ending: Any) -> None:
        self._script = script
        self._job = job
        self._ending = ending
        self._cancelled: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def execute(self) -> Record:
        script = self._script
        script.running += 1
        script.most = max(script.most, script.running)
        try:
            await asyncio.sleep(0)
            return await self._end()
        finally:
            script.running -= 1

    async def _end(self) -> Record:
        if isinstance(self._ending, SandboxError):
            raise self._ending
        if self._ending is None:
            self._script.started.set()
            return record(Outcome.CANCELLED, await self._cancelled, job=self._job)
        outcome, cells_run = self._ending if isinstance(self._ending, tuple) else (self._ending, 2)
        return record(outcome, f"It ended as {outcome}.", job=self._job, cells_run=cells_run)

    def cancel(self, why: str) -> None:
        if not self._cancelled.done():
            self._cancelled.set_result(why)
