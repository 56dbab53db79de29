"""One sandbox and the calls that it gets, one after the other; all of it in the thread of `background`.

Rules:

- A call is a task of its own. Who waits for it may go away (a cancelled task, Ctrl-C): then the code
  is interrupted, and the next call waits for the end of that.
- A sandbox that has ended says why on every later call, until `reset` makes another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from sandbox_kernel.errors import PolicyError, SessionError, TransferError
from sandbox_kernel.notebooks import DEFAULT_KERNEL, Outcome
from sandbox_kernel.notebooks.client import EXPLAIN_SECONDS
from sandbox_kernel.notebooks.result import Ending
from sandbox_kernel.notebooks.transfer import NoAnswerError
from sandbox_kernel.policy import Policy, format_seconds
from sandbox_kernel.session.background import Background
from sandbox_kernel.session.call import Call, cancelled
from sandbox_kernel.session.client import CodeClient
from sandbox_kernel.session.crossing import Crossing
from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.kernel import SandboxedManager
from sandbox_kernel.session.settings import in_callers_words

Result = TypeVar("Result")

EARLIER: Final = "That was in an earlier call; reset() gives a fresh sandbox."
"""What is added to a cause that is told once more."""
CELL: Final = "'cell_timeout'"
"""By which a guard's sentence says whose deadline it was."""
BOUND: Final = "The call's own timeout"
"""How the sentence begins that says that it was longer than the policy's, and did not count."""


class Session:
    """A sandbox over all its kernels. Its coroutines are run by `background` alone."""

    def __init__(self, settings: Mapping[str, object], directory: Path | None, home: Background) -> None:
        self._settings = dict(settings)
        self._directory = directory
        self._home = home
        self._lock = asyncio.Lock()
        self._client: CodeClient | None = None
        self._ended: Ending | None = None
        """Why there is no kernel any more; None while there is one, and before the first."""
        self.alive = False
        """Whether somebody has to close it: it was started, or is about to be."""
        self.wanted: Callable[[], bool] = lambda: True
        """Whether there is still somebody who could close it."""
        self._closed = False
        self._call: Call | None = None
        self._crossing: asyncio.Event | None = None
        """Set, it stops what crosses the wall."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        state = "running code" if self._call else "ready" if self._client else "not started"
        return "closed" if self._closed else f"ended: {self._ended.sentence}" if self._ended else state

    @property
    def policy(self) -> Policy | None:
        """What the kernel may do; None before the first."""
        policy = self._client.witness.policy if self._client else None
        return policy if isinstance(policy, Policy) else None

    @property
    def wall(self) -> str | None:
        """What stands around the kernel."""
        return self._client.witness.wall if self._client else None

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the kernel's results come from; empty without one."""
        return self._client.witness.provenance if self._client else {}

    @property
    def ended(self) -> str | None:
        """Why there is no kernel any more, None while there is one and before the first. For any thread."""
        return self._ended.sentence if self._ended else None

    # What the owner asks for

    async def start(self) -> None:
        """Start the sandbox, if it has not been started.

        :raises SandboxError: it did not come up.
        """
        await self._in_turn(self._started())

    async def run(
        self, code: str, seconds: float | None, heard: Callable[[Output], None] | None
    ) -> Execution:
        """Run the code and return what became of it. Cancelled, it interrupts the code.

        :raises SandboxError: the sandbox did not come up, or is closed.
        """
        call = Call(code, seconds, heard)
        try:
            return await self._in_turn(self._run(call))
        except asyncio.CancelledError:
            call.given_up.set()
            raise

    async def cross(self, act: Callable[[Crossing], Awaitable[Result]]) -> Result:
        """Have something cross the wall, between two calls. Cancelled, it stops.

        :raises TransferError: it did not; a sandbox that has ended says why.
        :raises SandboxError: the sandbox did not come up, or is closed.
        """
        given_up = asyncio.Event()
        try:
            return await self._in_turn(self._crossed(act, given_up))
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def interrupt(self) -> None:
        """Interrupt the code that runs, if any does: a KeyboardInterrupt to it."""
        call, client = self._call, self._client
        if call is not None and client is not None:
            call.interrupted = True
            await call.begun()
            if self._call is call:
                await client.interrupt()

    async def reset(self) -> None:
        """End the kernel with all that it holds, whatever it does, and start another.

        :raises SandboxError: it did not come up, or the sandbox is closed.
        """
        self._end_call(Ending(Outcome.CANCELLED, "The sandbox was reset."))
        await self._in_turn(self._restarted())

    async def close(self) -> None:
        """End the kernel, and refuse calls from now on. Idempotent."""
        self._closed = True
        self._end_call(Ending(Outcome.CANCELLED, "The sandbox was closed."))
        await self._in_turn(self._let_go())
        self._gone()

    # In turn

    async def _in_turn(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do one thing after the other, each to its end even if nobody waits for it any more."""

        async def locked() -> Result:
            async with self._lock:
                return await work

        task = asyncio.create_task(locked())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who went away does not want to know

    async def _started(self) -> CodeClient | None:
        """Return the client of the kernel, None if it has ended."""
        if self._closed:
            raise SessionError("This sandbox is closed; make another.")
        if self._client is None and self._ended is None:
            self._client = await self._begun()
            if not self.wanted():  # its owner was dropped before there was anything to be closed
                self._closed = True
                await self._let_go()
                self._gone()
        if self._client is not None and (death := await self._client.death()):
            await self._end(Ending.from_kind(death.kind, death.sentence))
        return self._client

    async def _begun(self) -> CodeClient:
        self._home.entered(self)
        self.alive = True
        client = CodeClient(SandboxedManager(self._settings, self._home.context))
        try:
            await client.begin(self._directory)
        except BaseException as error:
            self._gone()
            if isinstance(error, PolicyError):
                raise in_callers_words(error, DEFAULT_KERNEL) from error
            raise
        if (engine := client.witness.provenance.get("engine")) in ("docker", "podman"):
            self._settings["engine"] = engine  # "auto" finds another Python once the daemon has gone
        return client

    def _gone(self) -> None:
        self._home.left(self)
        self.alive = False

    async def _crossed(self, act: Callable[[Crossing], Awaitable[Result]], given_up: asyncio.Event) -> Result:
        client = await self._started()
        if client is None:
            raise TransferError(self._earlier())
        self._crossing = given_up
        work = asyncio.ensure_future(act(Crossing(client.ask)))
        stop = asyncio.create_task(given_up.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else _broken_off()
        except TransferError as error:
            await client.interrupt()  # what an expression has begun need not be at its end
            # A guard answers for a dead kernel just before its death is known.
            patience = EXPLAIN_SECONDS if isinstance(error, NoAnswerError) else 0.0
            if (death := await client.death(patience)) is None:
                raise
            await self._end(Ending.from_kind(death.kind, death.sentence))
            raise TransferError(death.sentence) from error
        finally:
            self._crossing = None
            await cancelled(work, stop)

    async def _restarted(self) -> None:
        await self._let_go()
        self._ended = None
        await self._started()

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.end()

    async def _end(self, ending: Ending) -> None:
        """Note how the kernel has ended, and clean up after it."""
        self._ended = ending
        await self._let_go()

    def _end_call(self, why: Ending) -> None:
        """End a running call with its kernel, soon, and whatever crosses the wall."""
        if self._crossing is not None:
            self._crossing.set()
        if self._call is not None:
            self._call.end = why
            self._call.given_up.set()

    async def _run(self, call: Call) -> Execution:
        client = None if call.given_up.is_set() else await self._started()
        if client is None:
            return self._not_run(call)
        self._call = call
        lost = len(client.witness.losses)
        try:
            ending = _bound(call, await call.run(client))
        finally:
            self._call, self._ended = None, call.fatal or self._ended
        if self._ended is not None:
            await self._let_go()
        return call.execution(ending, client.witness.losses[lost:])

    def _not_run(self, call: Call) -> Execution:
        if self._ended is None:
            return call.execution(Ending(Outcome.CANCELLED, "Nobody waited for it any more."), [])
        return call.execution(replace(self._ended, sentence=self._earlier()), [])

    def _earlier(self) -> str:
        said = self._ended.sentence if self._ended else ""
        return f"{said} {EARLIER}"


def _broken_off() -> NoReturn:
    raise TransferError("The sandbox was reset or closed, or nobody waited for it any more.")


def _bound(call: Call, ending: Ending) -> Ending:
    """Say so where the policy's deadline has passed first, though the call asked for a longer one."""
    if call.timeout is None or ending.outcome is not Outcome.TIMEOUT or CELL not in ending.sentence:
        return ending
    asked = format_seconds(call.timeout)
    return replace(ending, sentence=f"{ending.sentence} {BOUND}, {asked}, is longer and does not count.")
