"""The scheduler: how many at once, in which order, tried how often, stopped how. No kernel is needed."""

import asyncio
import random

import pytest

from sandbox_kernel.batches import Batch, Left, Retries, Rules, Summary
from sandbox_kernel.batches.room import at_once, too_many
from sandbox_kernel.errors import EngineUnavailableError, ExitCode, NotebookError, WorkspaceError
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import GiB, Policy
from tests.batches.runs import Scripted, job, record

QUICK = Retries(times=2, first=0.001)
RUNS_ON = None
"""An attempt's ending: it runs until it is cancelled."""


def batch(script: Scripted, names: str, done: tuple = (), **rules: object) -> Batch:
    rules.setdefault("retries", QUICK)
    return Batch([job(name) for name in names], script, Rules(**rules), script, done)


def statuses(summary: Summary) -> list[str]:
    return [str(record.status) for record in summary.records]


@pytest.mark.parametrize("count", [1, 3, 50])
async def test_at_once(count: int) -> None:
    """So many run at once and no more; every job has one record, in the plan's order."""
    script = Scripted()
    summary = await batch(script, "abcdefgh", at_once=count).run()
    assert script.most == min(count, 8)
    assert [str(record.job.notebook) for record in summary.records] == list("abcdefgh")
    assert statuses(summary) == ["ok"] * 8
    assert (summary.exit_code, summary.stopped) == (ExitCode.OK, None)


async def test_failures_do_not_stop_the_rest() -> None:
    """What one notebook does, or cannot do, is no matter of the others'."""
    endings = {"a": [Outcome.ERROR], "b": [NotebookError("b is no notebook.")], "c": [WorkspaceError("no c")]}
    summary = await batch(Scripted(endings), "abcd").run()
    assert statuses(summary) == ["error", "refused", "refused", "ok"]
    assert summary.records[1].sentence == "b is no notebook."
    assert summary.exit_code == ExitCode.CELL_ERROR


async def test_fail_fast() -> None:
    """The first bad end cancels what runs and begins nothing more; its code is the batch's."""
    script = Scripted({"a": [RUNS_ON], "b": [Outcome.TIMEOUT]})
    summary = await batch(script, "abcd", at_once=2, fail_fast=True).run()
    assert statuses(summary) == ["cancelled", "timeout", "not run", "not run"]
    assert summary.exit_code == ExitCode.DEADLINE
    assert "b did not end well" in summary.records[3].sentence


async def test_what_no_notebook_is_to_blame_for() -> None:
    """Where no wall can be built, nothing else is tried."""
    script = Scripted({"a": [EngineUnavailableError("there is no bubblewrap here.")]})
    summary = await batch(script, "abc").run()
    assert statuses(summary) == ["refused", "not run", "not run"]
    assert (summary.exit_code, summary.stopped) == (ExitCode.USAGE, "there is no bubblewrap here.")


async def test_an_engine_that_goes_away() -> None:
    """A daemon that others ran on is lost, which is tried again; one that stays away ends the batch."""
    gone = EngineUnavailableError("no daemon answers at /run/x.sock.")
    script = Scripted({"b": [gone, Outcome.OK], "c": [Outcome.LOST, Outcome.OK]})
    summary = await batch(script, "abc").run()
    assert statuses(summary) == ["ok", "ok", "ok"]
    assert summary.records[1].failures == (str(gone),)
    (_, for_the_daemon), (_, for_the_kernel) = script.retried
    assert for_the_daemon > 3 * for_the_kernel  # its restart takes seconds
    script = Scripted({"b": [gone] * 9})
    summary = await batch(script, "abcd").run()
    assert statuses(summary) == ["ok", "lost", "not run", "not run"]
    assert script.begun_jobs == ["a", "b", "b", "b"]
    assert (summary.exit_code, summary.stopped) == (ExitCode.DIED, str(gone))


LOST, NO_START = Outcome.LOST, (Outcome.DIED, 0)


@pytest.mark.parametrize(
    ("endings", "attempts", "last"),
    [
        ([LOST, Outcome.OK], 2, "ok"),
        ([NO_START, LOST, Outcome.OK], 3, "ok"),
        ([LOST, LOST, LOST, Outcome.OK], 3, "lost"),
        ([LOST, Outcome.ERROR, Outcome.OK], 2, "error"),
        ([Outcome.ERROR, Outcome.OK], 1, "error"),
        ([Outcome.MEMORY, Outcome.OK], 1, "memory"),
        ([Outcome.LIMIT, Outcome.OK], 1, "limit"),
        ([Outcome.TIMEOUT, Outcome.OK], 1, "timeout"),
        ([Outcome.DIED, Outcome.OK], 1, "died"),
        ([Outcome.CANCELLED, Outcome.OK], 1, "cancelled"),
    ],
)
async def test_retries(endings: list, attempts: int, last: str) -> None:
    """What the notebook did is never tried again; what happened to its kernel is, a few times."""
    script = Scripted({"a": endings})
    summary = await batch(script, "a").run()
    assert len(script.begun_jobs) == attempts
    assert statuses(summary) == [last]
    assert len(summary.records[0].failures) == len(script.retried) == attempts - 1


def test_pauses_grow_and_differ() -> None:
    """Each pause is twice the one before on average, bounded, and not everybody's."""
    retries = Retries(times=20, first=1, longest=30, dice=random.Random(1))
    lost = record(LOST)
    pauses = [retries.pause(lost, attempt) for attempt in range(1, 21)]
    assert all(0.5 * 2**n <= pause <= 1.5 * 2**n for n, pause in enumerate(pauses[:5]))
    assert all(15 <= pause <= 45 for pause in pauses[5:])
    assert len({*pauses}) == 20
    assert retries.pause(lost, 21) is None


async def test_stop() -> None:
    """Stopped, a batch cancels what runs, also what waits for another attempt, and keeps what is finished."""
    script = Scripted({"b": [RUNS_ON], "c": [LOST, Outcome.OK]})
    running = batch(script, "abcde", at_once=3, retries=Retries(first=600))
    task = asyncio.create_task(running.run())
    await script.started.wait()
    while not script.retried:
        await asyncio.sleep(0)
    halfway = running.summary()
    running.stop("Cancelled by SIGINT.", ExitCode.CANCELLED)
    running.stop("Again.", ExitCode.USAGE)
    summary = await asyncio.wait_for(task, 10)
    assert statuses(halfway)[:2] == ["ok", "cancelled"]
    assert statuses(summary)[:3] == ["ok", "cancelled", "lost"]
    assert summary.records[1].sentence == "Cancelled by SIGINT."
    assert (summary.exit_code, summary.stopped) == (ExitCode.CANCELLED, "Cancelled by SIGINT.")
    assert len(script.begun_jobs) <= 5


async def test_deadline() -> None:
    """The whole batch has a deadline, after which it is stopped, and says so."""
    script = Scripted({"a": [RUNS_ON]})
    summary = await batch(script, "ab", deadline=0.05).run()
    assert statuses(summary) == ["cancelled", "not run"]
    assert summary.records[0].sentence == "The batch's deadline of 0.05 s passed."
    assert summary.exit_code == ExitCode.DEADLINE


async def test_what_is_done_already() -> None:
    """A job whose record is known is not run."""
    script = Scripted()
    known = record(Left.UNCHANGED, job=job("b"))
    summary = await batch(script, "abc", done=(known,)).run()
    assert script.begun_jobs == ["a", "c"]
    assert statuses(summary) == ["ok", "unchanged", "ok"]
    assert summary.exit_code == ExitCode.OK


async def test_a_cancelled_caller() -> None:
    """Who cancels the batch itself ends its attempts with it."""
    script = Scripted({"a": [RUNS_ON], "b": [RUNS_ON]})
    task = asyncio.create_task(batch(script, "ab", at_once=2).run())
    await script.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.running == 0


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Outcome.OK, Left.UNCHANGED], 0),
        ([Outcome.OK, Outcome.ERROR], 1),
        ([Outcome.TIMEOUT, Outcome.TIMEOUT], 124),
        ([Outcome.MEMORY, Outcome.LIMIT], 137),
        ([Outcome.TIMEOUT, Outcome.MEMORY], 1),
        ([Left.REFUSED, Outcome.OK], 2),
        ([Outcome.CANCELLED, Left.NOT_RUN], 130),
        ([Outcome.LOST], 138),
    ],
)
def test_exit_codes(found: list, code: int) -> None:
    """One kind of failure has its own code, as if it had run alone; several kinds share 1."""
    records = tuple(record(status, job=job(str(number))) for number, status in enumerate(found))
    started = record().started
    assert Summary(records=records, started=started, duration=1.0, at_once=1).exit_code == code


@pytest.mark.parametrize(
    ("settings", "cores", "memory", "count"),
    [
        ({}, 8, 64 * GiB, 8),
        ({}, 8, 5 * GiB, 5),
        ({}, 8, 0, 8),
        ({}, 8, 1, 1),
        ({"cpus": 2.0}, 8, 64 * GiB, 4),
        ({"cpus": 64.0}, 8, 64 * GiB, 1),
        ({"cpus": 0.1, "memory": "256m"}, 2, 64 * GiB, 4),
        ({"memory": "16g"}, 8, 64 * GiB, 4),
    ],
)
def test_what_cores_and_memory_allow(settings: dict, cores: int, memory: int, count: int) -> None:
    """By itself a batch runs no more at once than could all be at their limits."""
    assert at_once(Policy.from_settings(settings), cores, memory) == count


def test_more_than_there_is() -> None:
    """Who asks for more is told, and gets it."""
    assert too_many(Policy(), 4, 4 * GiB) is None
    assert "5 kernels may use 1 GiB each, and 4 GiB are free" in str(too_many(Policy(), 5, 4 * GiB))
