"""A batch under way: signals stop it, and however it ends it is summed up and reported on."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_kernel.batches import Batch, Plan, Summary
from sandbox_kernel.cli.batch_reports import Reports
from sandbox_kernel.cli.batch_screen import BatchScreen
from sandbox_kernel.cli.hints import hint
from sandbox_kernel.cli.signals import cancelling
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import Policy

_LIMITS = (Outcome.TIMEOUT, Outcome.MEMORY, Outcome.LIMIT)
"""Ends that an option may move."""


class Running:
    """Runs a batch once; a first signal stops it, a second one does not wait for that.

    Then the notebooks that run are left as they were saved last, and their sandboxes end with us.
    """

    def __init__(
        self, batch: Batch, plan: Plan, policy: Policy, screen: BatchScreen, reports: Reports
    ) -> None:
        """Note everything; the reports are entered."""
        self._batch = batch
        self._plan = plan
        self._policy = policy
        self._screen = screen
        self._reports = reports
        self._stopping = False

    def run(self) -> int:
        """Run the batch and report on it; return the exit code."""
        with _undisturbed():
            try:
                with self._screen.watching():
                    asyncio.run(self._until_stopped())
            finally:
                code = self._conclude()
        return code

    async def _until_stopped(self) -> None:
        loop, signals = asyncio.get_running_loop(), cancelling()
        for number in signals:
            loop.add_signal_handler(number, self._stop, number)
        try:
            await self._batch.run()
        finally:
            for number in signals:  # what is finished is reported on, whoever is impatient by then
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def _stop(self, number: signal.Signals) -> None:
        if not self._stopping:
            self._stopping = True
            self._batch.stop(f"Cancelled by {number.name}.", ExitCode.CANCELLED)
            self._screen.say("Stopping; once more to leave at once.", "yellow")
            return
        self._screen.close()
        code = self._conclude()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _conclude(self) -> int:
        """Write the reports, say how it went; return the exit code."""
        summary = self._batch.summary()
        failures = self._reports.write(summary)
        self._screen.summarise(summary, self._plan.output)
        for kind, path in self._reports.written.items():
            self._screen.say(f"{kind} report → {path}")
        for sentence in hints(summary, self._policy):
            self._screen.say(f"hint: {sentence}", "yellow")
        for sentence in failures:
            self._screen.say(f"warning: {sentence}", "bold red")
        return summary.exit_code or (ExitCode.USAGE if failures else ExitCode.OK)


def hints(summary: Summary, policy: Policy) -> list[str]:
    """Return what to do about limits that were reached, each advice once."""
    reached = [record.sentence for record in summary.records if record.status in _LIMITS]
    advice = [hint("", sentence, policy) for sentence in reached]
    return list(dict.fromkeys(sentence for sentence in advice if sentence))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Have signals mean afterwards what they meant before."""
    before = {number: signal.getsignal(number) for number in cancelling()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
