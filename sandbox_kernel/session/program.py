"""Code behind the wall, run by plain Python as programs are: for scripts, which need no kernel.

    async with Program(policy) as program:
        execution = await program.run("print(6 * 7)")

Pieces share one namespace, as a kernel's cells do. There is no IPython: no magics, no value of the last
line, no rich output, no `await` outside of a function. In exchange `sys.argv`, `exit()` and `asyncio.run`
are what they are to a program, and it starts in a fraction of a kernel's time.
"""

import asyncio
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from sandbox_kernel.errors import PolicyError, SessionError
from sandbox_kernel.notebooks import DEFAULT_KERNEL, Outcome
from sandbox_kernel.notebooks.result import Ending
from sandbox_kernel.policy import Policy
from sandbox_kernel.session.call import GRACE
from sandbox_kernel.session.execution import TEXT, CodeError, Execution, Output
from sandbox_kernel.session.kernel import SandboxedManager
from sandbox_kernel.session.session import EARLIER
from sandbox_kernel.session.settings import in_callers_words, settings_for

SIGINT: Final = 2

NAME: Final = "submission.py"
"""What tracebacks call the code, which is in no file."""


class NotPlainError(SessionError):
    """The code is no plain Python, and nothing of it was run: it may be IPython's, or have an error."""


class Program:
    """A process of plain Python in a sandbox of its own. For one caller at a time."""

    def __init__(self, policy: Policy) -> None:
        self._manager = SandboxedManager(settings_for(policy, {}, None))
        self._program: Any = None
        self._ended: Ending | None = None

    async def __aenter__(self) -> Self:
        """Start it.

        :raises SandboxError: it did not come up; the message says what to do.
        """
        try:
            self._program = await self._manager.launch_program(None)
        except BaseException as error:
            await self._manager.end()
            if isinstance(error, PolicyError):
                raise in_callers_words(error, DEFAULT_KERNEL) from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and return when nothing of it is left."""
        await self._manager.end()

    async def run(self, code: str, *, timeout: float | None = None) -> Execution:  # noqa: ASYNC109 -- the code's
        """Run code, and return what became of it.

        Cancelled, it ends the process: what is run next must not be answered for by what runs still.

        :param timeout: seconds after which it is interrupted; if that does not help, all is ended.
        :raises NotPlainError: it cannot be compiled. Only of the first piece this is sure; later ones may be
            answered for by those before them.
        """
        if self._ended is not None:
            return Execution(outcome=self._ended.outcome, cause=f"{self._ended.sentence} {EARLIER}")
        began, before = monotonic(), len(self._program.notices)
        try:
            ran, overdue = await self._ran(code, timeout)
        except asyncio.CancelledError:
            self._program.kill()
            raise
        if ran is None:
            self._ended = await self._death(overdue, before)
            ending = self._ended
        elif not ran.compiled:
            raise NotPlainError(": ".join(filter(None, ran.error or ())))
        else:
            ending = _ending(ran, overdue)
        return _execution(ran, ending, monotonic() - began)

    async def _ran(self, code: str, timeout: float | None) -> tuple[Any, Ending | None]:  # noqa: ASYNC109
        """Return what the code came to, None if it came to no end; and the deadline that has passed."""
        future = asyncio.wrap_future(self._program.run(NAME, code))
        if await _done(future, timeout):
            return future.result(), None
        overdue = Ending(Outcome.TIMEOUT, f"The deadline of {timeout:g} s passed.")
        for _ in range(2):  # the first finds code that has not begun deaf, on a machine that is busy
            self._program.send_signal(SIGINT)
            if await _done(future, GRACE / 2):
                return future.result(), overdue
        self._program.kill()
        return await future, overdue

    async def _death(self, overdue: Ending | None, before: int) -> Ending:
        """Return why it is gone: for its deadline, where it has not outlived being interrupted for that."""
        death = await asyncio.wrap_future(self._program.ended)
        passed = [notice for notice in self._program.notices[before:] if notice.kind == "deadline"]
        cause = passed[0] if passed else death
        return overdue or Ending.from_kind(cause.kind, cause.sentence)


async def _done(future: "asyncio.Future[Any]", seconds: float | None) -> bool:
    """Wait so long; return whether it is done."""
    await asyncio.wait({future}, timeout=seconds)
    return future.done()


def _ending(ran: Any, overdue: Ending | None) -> Ending:
    if overdue or ran.deadline:
        return overdue or Ending(Outcome.TIMEOUT, ran.deadline)
    if ran.error:
        return Ending(Outcome.ERROR, f"The code raised {': '.join(filter(None, ran.error))}")
    return Ending(Outcome.OK, "")


def _execution(ran: Any, ending: Ending, seconds: float) -> Execution:
    if ran is None:
        return Execution(outcome=ending.outcome, cause=ending.sentence, seconds=seconds)
    return Execution(
        outcome=ending.outcome,
        cause=ending.sentence,
        stdout=ran.stdout,
        stderr=ran.stderr,
        displays=tuple(Output("display", {TEXT: text}) for text in ran.shown),
        error=CodeError.of(ran.error[0], ran.error[1], ()) if ran.error else None,
        truncated=ran.loss,
        seconds=seconds,
    )
