"""One piece of code on its way through a kernel, and how it ends.

Rules:

- A deadline interrupts first. Code that does not react within GRACE is ended with its kernel; a kernel that
  has only lost its reply is kept.
- Who waits for it may go away: then the code is interrupted as at a deadline.
- What a guard says of its end counts for more than what the code says.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from nbclient.exceptions import DeadKernelError

from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.client import EXPLAIN_SECONDS
from sandbox_kernel.notebooks.result import Ending
from sandbox_kernel.session.client import CodeClient
from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.recorder import Recorder

GRACE: Final = 5.0
"""Seconds that interrupted code has for its `finally`; numerical libraries look at signals now and then."""

PROMPT: Final = 1.0
"""Seconds of these after which code has mostly reacted, and the kernel is asked whether it is idle; and those
that an interrupt waits for the code to begin."""

KILLERS: Final = frozenset({
    "DeadlinePassed",
    "KernelDied",
    "KernelStopped",
    "MemoryLimitReached",
    "ProtocolViolation",
})  # fmt: skip
"""What a guard calls the error that it ends a dead kernel's request with. Code may raise one of that
name as well, and gains nothing by it but that we look, for a moment, whether it is dead."""


class Call:
    """One piece of code: `run` it once."""

    def __init__(self, code: str, timeout: float | None, heard: Callable[[Output], None] | None) -> None:
        self.code = code
        self.timeout = timeout
        self.recorder = Recorder(heard)
        self.began = monotonic()
        self.interrupted = False
        """Whether the code was interrupted on request, and may go on if it can."""
        self.given_up = asyncio.Event()
        """Nobody waits for it any more."""
        self.end: Ending | None = None
        """Why it is ended with its kernel, whatever it does."""
        self.fatal: Ending | None = None
        """Why its kernel has ended with it; None while there may be another call."""

    async def begun(self) -> None:
        """Return when the kernel is at the code, or takes its time: an idle one would not heed an interrupt.

        What is sent with the code may overtake it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PROMPT):
                await self.recorder.begun.wait()

    async def run(self, client: CodeClient) -> Ending:
        """Run the code against its deadline; return how it ended."""
        self.began = monotonic()
        verdicts = len(client.witness.verdicts)
        work = asyncio.create_task(client.run_code(self.code, self.recorder))
        given_up = asyncio.create_task(self.given_up.wait())
        try:
            await asyncio.wait({work, given_up}, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return await self._stop(client, work)
            work.result()
        except DeadKernelError:
            return await self._death(client)
        finally:
            await cancelled(work, given_up)
        return await self._judge(client, verdicts)

    async def _judge(self, client: CodeClient, verdicts: int) -> Ending:
        """Return the ending of code that was answered for, by itself or by the guard."""
        if said := client.witness.verdicts[verdicts:]:
            return Ending.from_kind(*said[0])
        error = self.recorder.error
        if error is None and self.recorder.exits:  # the kernel would be gone a moment later
            self.fatal = Ending(Outcome.DIED, "The code has ended its session, with exit() or quit().")
            return self.fatal
        if error is None:
            return Ending(Outcome.OK, "")
        if error.name in KILLERS and await client.death(EXPLAIN_SECONDS):
            return await self._death(client)
        if self.interrupted and error.name == "KeyboardInterrupt":
            return Ending(Outcome.CANCELLED, "The code was interrupted.")
        return Ending(Outcome.ERROR, f"The code raised {_first_line(str(error))}")

    async def _stop(self, client: CodeClient, work: asyncio.Task[None]) -> Ending:
        """Interrupt code that is out of time, or that nobody waits for; kill it if it does not react."""
        if self.end is None:
            ending = self._overdue()
            await self.begun()
            await client.interrupt()
            await asyncio.wait({work}, timeout=PROMPT)
            if not work.done():
                client.ask_for_a_sign()  # what has lost its reply ends with it, and need not end its sandbox
                await asyncio.wait({work}, timeout=GRACE - PROMPT)
            if work.done() and not isinstance(work.exception(), DeadKernelError):
                return ending
            did = f"The code did not react to being interrupted within {GRACE:g} s, so its sandbox was ended."
            self.end = replace(ending, sentence=f"{ending.sentence} {did}")
        self.fatal = self.end
        await client.kill()
        return self.fatal

    async def _death(self, client: CodeClient) -> Ending:
        """Return why the kernel is gone; what we have done to it ourselves says more than its death."""
        death = await client.death(EXPLAIN_SECONDS)
        if self.fatal is None:
            self.fatal = (
                Ending.from_kind(death.kind, death.sentence)
                if death
                else Ending(Outcome.DIED, "The kernel died.")
            )
        return self.fatal

    def _overdue(self) -> Ending:
        if self.given_up.is_set():
            return Ending(Outcome.CANCELLED, "The call was cancelled.")
        return Ending(Outcome.TIMEOUT, f"The deadline of {self.timeout:g} s passed.")

    def execution(self, ending: Ending, losses: list[str]) -> Execution:
        """Return what became of the code.

        :param losses: phrases on what a guard has dropped of its output.
        """
        recorder = self.recorder
        outputs = recorder.outputs
        values = [output for output in outputs if output.kind == "value"]
        if recorder.dropped:
            losses = [*losses, f"{recorder.dropped} characters were more than a result keeps"]
        return Execution(
            outcome=ending.outcome,
            cause=ending.sentence,
            stdout="".join(output.text for output in outputs if output.kind == "stdout"),
            stderr="".join(output.text for output in outputs if output.kind == "stderr"),
            value=values[-1].text if values else None,
            data=values[-1].data if values else {},
            displays=tuple(output for output in outputs if output.kind == "display"),
            error=recorder.error,
            outputs=outputs,
            truncated="; ".join(losses) or None,
            seconds=monotonic() - self.began,
            count=recorder.count,
        )


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their ends, without taking their failures as ours."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()


def _first_line(text: str) -> str:
    lines = text.splitlines()
    return lines[0][:300] if lines else "an error"
