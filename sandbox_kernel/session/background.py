"""The one thread in which all sandboxes of this process are attended to.

A sandbox's owner may be a plain thread, a program with an event loop of its own that must not
stand still, or one without; it may come from another loop the next time. So the work is done on a
loop that is ours alone, and owners wait for it each in their own way.

The thread begins with the first sandbox, and stays: it costs nothing while there is nothing to do.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

import zmq.asyncio

Result = TypeVar("Result")

FAREWELL: Final = 5.0
"""Seconds that the end of the process waits for its sandboxes: killing takes some milliseconds."""


class Closable(Protocol):
    """What must not outlive this process."""

    async def close(self) -> None:
        """End it. Idempotent."""


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: zmq.asyncio.Context | None = None
        self._open: set[Closable] = set()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Have the thread do something. Cancelling the future cancels what it does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def entered(self, closable: Closable) -> None:
        """Close it at the end of this process, if nobody has done so before."""
        self._open.add(closable)

    def left(self, closable: Closable) -> None:
        """Nothing is left of it."""
        self._open.discard(closable)

    @property
    def context(self) -> zmq.asyncio.Context:
        """ZeroMQ's own threads, which all sandboxes share. To be asked for in the thread."""
        if self._context is None:
            self._context = zmq.asyncio.Context()
        return self._context

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = self._loop.run_forever
                threading.Thread(target=run, name="sandbox-sessions", daemon=True).start()
                atexit.register(self._close_all, os.getpid())
            return self._loop

    def _close_all(self, owner: int) -> None:
        """At the interpreter's end: whoever forgot to close a sandbox did not mean to leave its files."""
        if os.getpid() != owner:  # a forked child's end is not its parent's
            return
        closing = [self.submit(closable.close()) for closable in list(self._open)]
        for future in closing:
            try:
                future.result(FAREWELL)
            except Exception:  # noqa: BLE001, S112 - nobody is left to be told, and the rest must end as well
                continue


_OF_PROCESS: Final[dict[int, Background]] = {}
"""By process: a forked child has none of its parent's threads, and must not touch what they used."""


def background() -> Background:
    """Return this process's."""
    process = os.getpid()
    return _OF_PROCESS.get(process) or _OF_PROCESS.setdefault(process, Background())
