"""Waiting for another thread without owning what it will bring."""

import asyncio
import threading
from concurrent.futures import Future

import pytest
from sandbox_provisioner.waiting import result_of


async def test_the_trap():
    """asyncio.wrap_future would cancel the future itself, which its owner could then no longer set."""
    future = Future()
    waiting = asyncio.ensure_future(asyncio.wrap_future(future))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert future.cancelled()


async def test_a_cancelled_wait_leaves_the_future_alone():
    """Here only the wait ends."""
    future = Future()
    waiting = asyncio.create_task(result_of(future))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    future.set_result(1)
    assert await result_of(future) == 1


async def test_results_and_exceptions_from_a_thread():
    """What the other thread brings arrives, good or bad."""
    good, bad = Future(), Future()
    threading.Thread(target=lambda: (good.set_result(1), bad.set_exception(OSError("x")))).start()
    assert await result_of(good) == 1
    with pytest.raises(OSError, match="x"):
        await result_of(bad)


def test_a_loop_that_was_closed(caplog):
    """When nobody waits any more, because the loop is gone, the owner notices nothing."""
    future = Future()

    async def give_up():
        waiting = asyncio.create_task(result_of(future))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(give_up())
    future.set_result(1)
    assert not caplog.records
