"""A sandbox for programs with an event loop: the same, awaited."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox_kernel.session.crossing import LIMIT, Crossing, content_of, encoded, write_to
from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.faces import Face, checked_code, checked_timeout
from sandbox_kernel.session.suspicion import believe

Result = TypeVar("Result")


class AsyncSandbox(Face):
    """`Sandbox`, awaited: from any event loop, and from another one the next time.

    >>> import asyncio
    >>> async def main():
    ...     async with AsyncSandbox("strict", cell_timeout="10s") as sandbox:
    ...         return await sandbox.run("1 + 1")
    >>> asyncio.run(main()).value
    '2'

    A cancelled call interrupts its code and leaves the sandbox usable.
    """

    async def __aenter__(self) -> Self:
        """Start it.

        :raises SandboxError: it did not come up; the message says what to do.
        """
        try:
            await self.start()
        except BaseException:  # nobody will call __aexit__
            self._home.submit(self._own.close())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        await self.close()

    async def start(self) -> None:
        """Start it, if it has not been started; else see whether it still lives (`ended`).

        :raises SandboxError: it did not come up; the message says what to do.
        """
        await asyncio.wrap_future(self._home.submit(self._own.start()))

    async def run(
        self,
        code: str,
        *,
        timeout: float | str | None = None,  # noqa: ASYNC109 -- the code's deadline, not the waiting's
        on_output: Callable[[Output], Awaitable[object] | object] | None = None,
    ) -> Execution:
        """Run code, and return what became of it; see `Sandbox.run`.

        :param on_output: called on this loop with each output as it comes, and awaited if it can be.
        :raises SandboxError: the sandbox did not come up, or is closed.
        """
        code, seconds, session = checked_code(code), checked_timeout(timeout), self._own
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

    async def put(self, name: str, value: Any, *, limit: int = LIMIT) -> None:
        """Make `value` the variable `name` inside; see `Sandbox.put`.

        :raises TransferError: the value does not cross, or would take more than `limit` bytes.
        """
        kind, data = encoded(name, value, limit)
        await self._cross(lambda to: to.put_value(name, kind, data))

    async def get(self, expression: str, *, limit: int = LIMIT) -> Any:
        """Return the value of a variable, or of any expression, inside; see `Sandbox.get`.

        :raises TransferError: as there.
        """
        kind, data = await self._cross(lambda of: of.get_value(expression, limit))
        return believe(kind, data)

    async def put_file(
        self, path: str, content: bytes | bytearray | memoryview | os.PathLike[str], *, limit: int = LIMIT
    ) -> None:
        """Make a file inside: of bytes, or of the file out here that a `Path` names; see `Sandbox.put_file`.

        :raises TransferError: it cannot be read or written, or has more than `limit` bytes.
        """
        data = content_of(content, limit)
        await self._cross(lambda to: to.put_file(path, data))

    async def get_file(self, path: str, *, to: os.PathLike[str] | None = None, limit: int = LIMIT) -> bytes:
        """Return what a file inside has; see `Sandbox.get_file`.

        :raises TransferError: it cannot be read or written, or has more than `limit` bytes.
        """
        data = await self._cross(lambda of: of.get_file(path, limit))
        if to is not None:
            write_to(to, data)
        return data

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

    async def _cross(self, act: Callable[[Crossing], Awaitable[Result]]) -> Result:
        return await asyncio.wrap_future(self._home.submit(self._own.cross(act)))
