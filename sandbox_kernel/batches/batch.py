"""Many notebooks at once, in one process and one event loop.

Rules:
- Every run of the plan gets exactly one `Record`, also when the batch is stopped; those that had no turn
  are `not run`.
- So many workers as may run at once each take the next job. A worker waits out the pause before another
  attempt itself: what has failed to start is seldom helped by starting more beside it.
- An engine that nobody can reach ends the batch at once, with a refusal. Where others ran on it before, it
  is lost, perhaps for a moment (a daemon is restarted): the job is tried again, and then the batch ends.
- To stop is to cancel what runs, which saves what there is, and to begin nothing new. What is finished
  stays finished.
- How a single job is run is not known here: see `Begin`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Protocol

from sandbox_kernel.batches.plan import Job, in_turns
from sandbox_kernel.batches.record import Left, Record, Summary
from sandbox_kernel.batches.retries import Retries
from sandbox_kernel.batches.watcher import Watcher
from sandbox_kernel.errors import (
    EngineUnavailableError,
    ExitCode,
    NotebookError,
    SandboxError,
    WorkspaceError,
)
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import format_seconds


class Attempt(Protocol):
    """One attempt at one job."""

    async def execute(self) -> Record:
        """Run it to its end; return how it ended.

        :raises SandboxError: it was refused before anything ran.
        """

    def cancel(self, why: str) -> None:
        """Have `execute` return soon, with outcome `cancelled` and the sentence `why`."""


_Running = dict[Path, Attempt]
"""By the place of their results, which no two jobs share."""
Begin = Callable[[Job, Watcher], Attempt]
"""Makes an attempt, which is to tell the watcher of its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a batch is run."""

    at_once: int = 1
    fail_fast: bool = False
    """Whether the first notebook that does not end well stops the batch."""
    deadline: float | None = None
    """Seconds for the whole batch."""
    retries: Retries = field(default_factory=Retries)


class Batch:
    """Runs the jobs of a plan. Use an instance once."""

    def __init__(
        self, jobs: Sequence[Job], begin: Begin, rules: Rules, watcher: Watcher, done: Sequence[Record] = ()
    ) -> None:
        """Note what is to be done; `done` holds the records of jobs that need not run again."""
        self._jobs = tuple(jobs)
        self._begin = begin
        self._rules = rules
        self._watcher = watcher
        self._records = {record.job.output: record for record in done}
        self._queue = deque(in_turns([job for job in jobs if job.output not in self._records]))
        self._running: _Running = {}
        self._gone: dict[Path, SandboxError] = {}
        self._stopping = asyncio.Event()
        self._stopped: str | None = None
        self._stopped_code: ExitCode | None = None
        self._started, self._started_at = datetime.now(UTC), monotonic()

    def __repr__(self) -> str:
        state = f"{len(self._records)} of {len(self._jobs)} over, {len(self._running)} running"
        return f"<Batch {state}{', stopped' if self._stopped else ''}>"

    @property
    def has_run(self) -> bool:
        """Whether code of some notebook may have run."""
        ended = (record.status for record in self._records.values())
        return bool(self._running) or any(isinstance(status, Outcome) for status in ended)

    @property
    def _has_served(self) -> bool:
        """Whether the engine has been there for some notebook: one that lacks something lacks it for all."""
        return any(
            isinstance(record.status, Outcome) and record.status is not Outcome.LOST
            for record in self._records.values()
        )

    async def run(self) -> Summary:
        """Run everything; return what became of it."""
        self._started, self._started_at = datetime.now(UTC), monotonic()
        alarm = self._set_alarm()
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._rules.at_once, len(self._queue))):
                    workers.create_task(self._work())
        finally:
            if alarm is not None:
                alarm.cancel()
        return self.summary()

    def stop(self, why: str, code: ExitCode | None = None) -> None:
        """Cancel what runs and begin nothing more; `code` is what the batch then exits with."""
        if self._stopped is not None:
            return
        self._stopped, self._stopped_code = why, code
        self._queue.clear()
        self._stopping.set()
        for attempt in self._running.values():
            attempt.cancel(why)

    def summary(self) -> Summary:
        """Return what has become of each job by now."""
        return Summary(
            records=tuple(self._records.get(job.output) or self._unfinished(job) for job in self._jobs),
            started=self._started,
            duration=monotonic() - self._started_at,
            at_once=self._rules.at_once,
            stopped=self._stopped,
            stopped_code=self._stopped_code,
        )

    def _unfinished(self, job: Job) -> Record:
        why = self._stopped or "The batch has not ended."
        status = Outcome.CANCELLED if job.output in self._running else Left.NOT_RUN
        return Record(job=job, status=status, sentence=why)

    def _set_alarm(self) -> asyncio.TimerHandle | None:
        seconds = self._rules.deadline
        if seconds is None:
            return None
        why = f"The batch's deadline of {format_seconds(seconds)} passed."
        return asyncio.get_running_loop().call_later(seconds, self.stop, why, ExitCode.DEADLINE)

    async def _work(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            record = await self._run(job)
            self._records[job.output] = record
            self._watcher.ended(record)
            if self._rules.fail_fast and not record.good:
                self.stop(f"{job.name} did not end well, and the batch was to stop then.")

    async def _run(self, job: Job) -> Record:
        """Try the job until it says something; return how the last attempt ended."""
        failures: list[str] = []
        while True:
            record = await self._attempt(job)
            pause = self._rules.retries.pause(record, len(failures) + 1)
            if pause is None and job.output in self._gone:
                self.stop(str(self._gone[job.output]), ExitCode.DIED)
            if pause is None or self._stopped is not None:
                return replace(record, failures=tuple(failures))
            failures.append(record.sentence)
            self._watcher.retrying(job, record.sentence, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return replace(record, failures=tuple(failures[:-1]))

    async def _attempt(self, job: Job) -> Record:
        self._watcher.begun(job)
        self._gone.pop(job.output, None)
        attempt = self._begin(job, self._watcher)
        self._running[job.output] = attempt
        try:
            return await attempt.execute()
        except SandboxError as refusal:
            if isinstance(refusal, EngineUnavailableError) and self._has_served:
                self._gone[job.output] = refusal
                return Record(job=job, status=Outcome.LOST, sentence=str(refusal), away=True)
            if not isinstance(refusal, NotebookError | WorkspaceError):  # it is no notebook's fault
                self.stop(str(refusal), refusal.exit_code)
            return Record(job=job, status=Left.REFUSED, sentence=str(refusal))
        finally:
            del self._running[job.output]
