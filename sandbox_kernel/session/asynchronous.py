"""A sandbox for programs with an event loop: the same, awaited."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.faces import Face, checked_timeout

Result = TypeVar("Result")


class AsyncSandbox(Face):
    """`Sandbox`, awaited: from any event loop, and from another one the next time.

    >>> import asyncio
    >>> async def main():
    ...     async with AsyncSandbox("strict") as sandbox:
    ...         return await sandbox.run("1 + 1")
    >>> asyncio.run(main()).value
    '2'

    A cancelled call interrupts its code and leaves the sandbox usable.
    """

    async def __aenter__(self) -> Self:
        """Start it.

        :raises SandboxError: it did not come up; the message says what to do.
        """
        await asyncio.wrap_future(self._home.submit(self._own.start()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        await self.close()

    async def run(
        self,
        code: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- the code's deadline, not the waiting's
        on_output: Callable[[Output], Awaitable[object] | object] | None = None,
    ) -> Execution:
        """Run code, and return what became of it; see `Sandbox.run`.

        :param on_output: called on this loop with each output as it comes, and awaited if it can be.
        :raises SandboxError: the sandbox did not come up, or is closed.
        """
        seconds, session = checked_timeout(timeout), self._own
        if on_output is None:
            return await asyncio.wrap_future(self._home.submit(session.run(code, seconds, None)))
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[Output | None]()

        def hear(output: Output | None) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody listens any more
                loop.call_soon_threadsafe(heard.put_nowait, output)

        future = self._home.submit(session.run(code, seconds, hear))
        future.add_done_callback(lambda _: hear(None))
        try:
            while (output := await heard.get()) is not None:
                listened = on_output(output)
                if inspect.isawaitable(listened):
                    await listened
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def interrupt(self) -> None:
        """Interrupt the code that some other task has running: it gets a KeyboardInterrupt."""
        await asyncio.wrap_future(self._home.submit(self._own.interrupt()))

    async def reset(self) -> None:
        """End all that runs inside, and go on with a fresh sandbox that knows nothing.

        :raises SandboxError: it did not come up, or this one is closed.
        """
        await asyncio.wrap_future(self._home.submit(self._own.reset()))

    async def close(self) -> None:
        """End it; nothing of it is left. Idempotent."""
        await asyncio.wrap_future(self._home.submit(self._own.close()))
