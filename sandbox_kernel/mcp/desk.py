"""The one sandbox of a session: there when it is needed, and a fresh one where it has ended.

Calls are done one after the other, for a model may send several at once. A call that is cancelled
interrupts its code and leaves the sandbox as it is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sandbox_kernel.mcp.content import Page
from sandbox_kernel.session import AsyncSandbox

FRESH: Final = (
    "The sandbox had ended: {why} This call got a fresh one; variables and files of the earlier one are gone."
)
NEXT: Final = "The sandbox has ended with its variables and files; the next call gets a fresh one."


class Desk:
    """Hands out a sandbox that lives, with an answer's page on which it is told if it is another one."""

    def __init__(self, sandbox: AsyncSandbox) -> None:
        self._sandbox = sandbox
        self._turn = asyncio.Lock()
        self._untold: str | None = None
        """Why an earlier sandbox ended, as long as no call has got another one: that may have failed."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[tuple[AsyncSandbox, Page]]:
        """Hold the sandbox for one call, from the end of the call before.

        :raises SandboxError: it did not come up.
        """
        async with self._turn:
            page = Page()
            await self._sandbox.start()
            if why := self._sandbox.ended:
                self._untold = why
                await self._sandbox.reset()
            if self._untold:
                page.note(FRESH.format(why=self._untold))
                self._untold = None
            yield self._sandbox, page
            if self._sandbox.ended:
                page.note(NEXT)

    async def reset(self) -> None:
        """End all that runs, also a call that is under way, and have a fresh sandbox.

        :raises SandboxError: it did not come up.
        """
        await self._sandbox.reset()
        self._untold = None

    async def close(self) -> None:
        """End the sandbox. Idempotent."""
        await self._sandbox.close()
