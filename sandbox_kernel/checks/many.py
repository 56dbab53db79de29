"""Many submissions at once, each in its own sandbox."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_kernel.checks.grading import grade, require_room
from sandbox_kernel.checks.suite import Suite
from sandbox_kernel.checks.verdicts import Graded, all_failed
from sandbox_kernel.errors import DaemonGoneError, SandboxError
from sandbox_kernel.policy import Policy
from sandbox_kernel.session import Outcome

AWAY: Final = (2.0, 8.0, 20.0)
"""Seconds before a daemon that no longer answers is asked again: a restart takes it several."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission, and what reports call it."""

    path: Path
    name: str


async def grade_all(
    entries: Sequence[Entry],
    suite: Suite,
    policy: Policy,
    jobs: int,
    heard: Callable[[Graded], object] = lambda _: None,
) -> list[Graded]:
    """Grade submissions, so many at a time; return the results in the order of the submissions.

    Cancelled, it ends the sandboxes that run and still returns a result for each: "cancelled" is that of
    those which were not done.

    :param heard: told of each result as it comes.
    :raises SandboxError: none can be run here with this policy.
    """
    require_room(suite, policy)
    results: dict[int, Graded] = {}
    waiting = iter(enumerate(entries))
    gone: list[str] = []

    async def work() -> None:
        for number, entry in waiting:
            try:
                if gone:
                    raise DaemonGoneError(gone[0])
                pauses = AWAY if results else ()
                results[number] = await _graded_once_it_answers(entry, suite, policy, pauses)
            except SandboxError as error:
                if not results:  # as it will be for all of them
                    raise
                if isinstance(error, DaemonGoneError):  # nobody else need wait for it in vain
                    gone.append(str(error))
                results[number] = _not_run(entry, suite, Outcome.LOST, str(error).rstrip("."))
            heard(results[number])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, len(entries))):
                group.create_task(work())
    except asyncio.CancelledError:
        pass
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [
        results.get(number) or _not_run(entry, suite, Outcome.CANCELLED, "checking was cancelled")
        for number, entry in enumerate(entries)
    ]


async def _graded_once_it_answers(
    entry: Entry, suite: Suite, policy: Policy, pauses: Sequence[float]
) -> Graded:
    """Grade a submission; wait for a daemon that does not answer, as long as the pauses say.

    :raises SandboxError: it cannot be run.
    """
    for pause in pauses:
        with suppress(DaemonGoneError):
            return await grade(entry.path, suite, policy, entry.name)
        await asyncio.sleep(pause)
    return await grade(entry.path, suite, policy, entry.name)


def _not_run(entry: Entry, suite: Suite, outcome: Outcome, cause: str) -> Graded:
    return Graded(
        submission=entry.name,
        outcome=outcome,
        cause=cause,
        verdicts=all_failed(suite, cause),
        was_run=False,
    )
