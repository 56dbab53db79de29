"""Awaiting a future that belongs to another thread, without owning it.

`asyncio.wrap_future` passes a cancelled wait on to the future itself, whose owner could then
no longer set it; and it raises in the owner's thread when the waiting loop has been closed.
Here a wait that nobody waits for any more is simply forgotten.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def result_of(future: concurrent.futures.Future[Result]) -> Result:
    """Return the future's result, or raise its exception, once it has one. Cancelling only ends the wait."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: concurrent.futures.Future[Result]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    await done.wait()
    return future.result()


def in_thread(call: Callable[[], Result]) -> concurrent.futures.Future[Result]:
    """Call something that may block in a thread of its own; return the future of what comes of it.

    No executor: its threads are joined at the interpreter's end, however long a daemon does not answer.
    """
    future: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised again where the future is awaited
            future.set_exception(error)

    threading.Thread(target=run, name="sandbox-choice", daemon=True).start()
    return future
