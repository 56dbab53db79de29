"""One sandbox and the calls that it gets, one after the other; all of it in the thread of `background`.

Rules:

- A call is a task of its own. Who waits for it may go away (a cancelled task, Ctrl-C): then the code
  is interrupted, and the next call waits for the end of that.
- A deadline interrupts first. Code that does not react within GRACE is ended with its sandbox; a kernel that
  has only lost its reply is kept.
- A sandbox that has ended says why on every later call, until `reset` makes another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, NoReturn, TypeVar

from nbclient.exceptions import DeadKernelError

from sandbox_kernel.errors import PolicyError, SessionError, TransferError
from sandbox_kernel.notebooks import DEFAULT_KERNEL, Outcome
from sandbox_kernel.notebooks.client import EXPLAIN_SECONDS
from sandbox_kernel.notebooks.result import Ending
from sandbox_kernel.notebooks.transfer import NoAnswerError
from sandbox_kernel.policy import Policy, format_seconds
from sandbox_kernel.session.background import Background
from sandbox_kernel.session.client import CodeClient
from sandbox_kernel.session.crossing import Crossing
from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.kernel import SandboxedManager
from sandbox_kernel.session.recorder import Recorder
from sandbox_kernel.session.settings import in_callers_words

Result = TypeVar("Result")

GRACE: Final = 5.0
"""Seconds that interrupted code has for its `finally`; numerical libraries look at signals now and then."""

PROMPT: Final = 1.0
"""Seconds of these after which code has mostly reacted, and the kernel is asked whether it is idle; and those
that an interrupt waits for the code to begin."""

EARLIER: Final = "That was in an earlier call; reset() gives a fresh sandbox."
"""What is added to a cause that is told once more."""
CELL: Final = "'cell_timeout'"
"""By which a guard's sentence says whose deadline it was."""
BOUND: Final = "The call's own timeout"
"""How the sentence begins that says that it was longer than the policy's, and did not count."""

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
    """One piece of code on its way."""

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
            await _begun(call)
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
            await _cancelled(work, stop)

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

    # A call

    async def _run(self, call: Call) -> Execution:
        client = None if call.given_up.is_set() else await self._started()
        if client is None:
            return self._not_run(call)
        self._call, call.began = call, monotonic()
        lost = len(client.witness.losses)
        try:
            ending = self._bound(call, await self._ending(client, call))
        finally:
            self._call = None
        if self._ended is not None:
            await self._let_go()
        return _execution(call, ending, client.witness.losses[lost:])

    def _not_run(self, call: Call) -> Execution:
        if self._ended is None:
            return _execution(call, Ending(Outcome.CANCELLED, "Nobody waited for it any more."), [])
        return _execution(call, replace(self._ended, sentence=self._earlier()), [])

    def _earlier(self) -> str:
        said = self._ended.sentence if self._ended else ""
        return f"{said} {EARLIER}"

    async def _ending(self, client: CodeClient, call: Call) -> Ending:
        """Run the code against its deadline; return how it ended."""
        verdicts = len(client.witness.verdicts)
        work = asyncio.create_task(client.run_code(call.code, call.recorder))
        given_up = asyncio.create_task(call.given_up.wait())
        try:
            await asyncio.wait({work, given_up}, timeout=call.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return await self._stop(client, work, call)
            work.result()
        except DeadKernelError:
            return await self._death(client)
        finally:
            await _cancelled(work, given_up)
        return await self._judge(client, call, verdicts)

    def _bound(self, call: Call, ending: Ending) -> Ending:
        """Say so where the policy's deadline has passed first, though the call asked for a longer one."""
        if call.timeout is None or ending.outcome is not Outcome.TIMEOUT or CELL not in ending.sentence:
            return ending
        asked = format_seconds(call.timeout)
        return replace(ending, sentence=f"{ending.sentence} {BOUND}, {asked}, is longer and does not count.")

    async def _judge(self, client: CodeClient, call: Call, verdicts: int) -> Ending:
        """Return the ending of code that was answered for, by itself or by the guard."""
        if said := client.witness.verdicts[verdicts:]:
            return Ending.from_kind(*said[0])
        error = call.recorder.error
        if error is None and call.recorder.exits:  # the kernel would be gone a moment later
            self._ended = Ending(Outcome.DIED, "The code has ended its session, with exit() or quit().")
            return self._ended
        if error is None:
            return Ending(Outcome.OK, "")
        if error.name in KILLERS and await client.death(EXPLAIN_SECONDS):
            return await self._death(client)
        if call.interrupted and error.name == "KeyboardInterrupt":
            return Ending(Outcome.CANCELLED, "The code was interrupted.")
        return Ending(Outcome.ERROR, f"The code raised {_first_line(str(error))}")

    async def _stop(self, client: CodeClient, work: asyncio.Task[None], call: Call) -> Ending:
        """Interrupt code that is out of time, or that nobody waits for; kill it if it does not react."""
        if call.end is None:
            ending = _overdue(call)
            await _begun(call)
            await client.interrupt()
            await asyncio.wait({work}, timeout=PROMPT)
            if not work.done():
                client.ask_for_a_sign()  # what has lost its reply ends with it, and need not end its sandbox
                await asyncio.wait({work}, timeout=GRACE - PROMPT)
            if work.done() and not isinstance(work.exception(), DeadKernelError):
                return ending
            did = f"The code did not react to being interrupted within {GRACE:g} s, so its sandbox was ended."
            call.end = replace(ending, sentence=f"{ending.sentence} {did}")
        self._ended = call.end
        await client.kill()
        return self._ended

    async def _death(self, client: CodeClient) -> Ending:
        """Return why the kernel is gone; what we have done to it ourselves says more than its death."""
        death = await client.death(EXPLAIN_SECONDS)
        if self._ended is None:
            self._ended = (
                Ending.from_kind(death.kind, death.sentence)
                if death
                else Ending(Outcome.DIED, "The kernel died.")
            )
        return self._ended


async def _begun(call: Call) -> None:
    """Return when the kernel is at the code, or takes its time: an idle one would not heed an interrupt.

    What is sent with the code may overtake it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(PROMPT):
            await call.recorder.begun.wait()


def _broken_off() -> NoReturn:
    raise TransferError("The sandbox was reset or closed, or nobody waited for it any more.")


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their ends, without taking their failures as ours."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()


def _overdue(call: Call) -> Ending:
    if call.given_up.is_set():
        return Ending(Outcome.CANCELLED, "The call was cancelled.")
    return Ending(Outcome.TIMEOUT, f"The deadline of {call.timeout:g} s passed.")


def _execution(call: Call, ending: Ending, losses: list[str]) -> Execution:
    recorder = call.recorder
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
        seconds=monotonic() - call.began,
        count=recorder.count,
    )


def _first_line(text: str) -> str:
    lines = text.splitlines()
    return lines[0][:300] if lines else "an error"
