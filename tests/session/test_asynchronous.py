"""`AsyncSandbox`: the same, awaited; and both from whatever thread or loop they are called."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sandbox_kernel import AsyncSandbox, Sandbox
from sandbox_kernel.errors import TransferError
from sandbox_kernel.session import Outcome, Output
from tests.leftovers import Census

ENDLESS = "try:\n    print('begun', flush=True)\n    while True: pass\nfinally: stopped = True"


@pytest.fixture(scope="module")
def waiting() -> Iterator[AsyncSandbox]:
    """One sandbox for all tests of this file: it belongs to no loop."""
    sandbox = AsyncSandbox(memory="256m")
    yield sandbox
    asyncio.run(sandbox.close())


async def test_calls(waiting: AsyncSandbox) -> None:
    """Code runs, values and files cross, as with `Sandbox`."""
    assert (await waiting.run("x = 20; x + 1")).value == "21"
    await waiting.put("y", {"a": 1})
    assert await waiting.get("[x, y]") == [20, {"a": 1}]
    await waiting.put_file("file", b"text")
    assert await waiting.get_file("file") == b"text"
    with pytest.raises(TransferError, match="set"):
        await waiting.get("{1}")


async def test_listening(waiting: AsyncSandbox) -> None:
    """Outputs are heard in the caller's loop while the code runs, by functions and by coroutines."""
    heard: list[str] = []

    async def listen(output: Output) -> None:
        await asyncio.sleep(0)
        heard.append(output.text)

    assert (await waiting.run("print('a')", on_output=listen)).ok
    assert (await waiting.run("print('b')", on_output=lambda output: heard.append(output.text))).ok
    assert "".join(heard) == "a\nb\n"


async def test_a_cancelled_call(waiting: AsyncSandbox) -> None:
    """A cancelled call interrupts its code; the next call finds what it had defined."""
    await waiting.run("stopped = False")
    begun = asyncio.Event()
    call = asyncio.create_task(waiting.run(ENDLESS, on_output=lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 30)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    after = await waiting.run("stopped")
    assert (after.outcome, after.value) == (Outcome.OK, "True")


async def test_cancelled_before_it_ran(waiting: AsyncSandbox) -> None:
    """A call that is cancelled while another one runs is never run."""
    first = asyncio.create_task(waiting.run("import time; time.sleep(0.2)"))
    second = asyncio.create_task(waiting.run("never = True"))
    await asyncio.sleep(0.05)
    second.cancel()
    assert (await first).ok
    assert (await waiting.run("'never' in globals()")).value == "False"


async def test_a_cancelled_transfer(waiting: AsyncSandbox) -> None:
    """A value that nobody waits for any more is not waited for inside either."""
    call = asyncio.create_task(waiting.get("__import__('time').sleep(60)"))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await asyncio.wait_for(waiting.run("1"), 30)).value == "1"


async def test_interrupt(waiting: AsyncSandbox) -> None:
    """Another task interrupts the code."""
    result = await waiting.run(ENDLESS, on_output=lambda _: waiting.interrupt())
    assert result.outcome is Outcome.CANCELLED


async def test_a_deadline(waiting: AsyncSandbox) -> None:
    """A deadline is the code's, and no error of the waiting's."""
    assert (await waiting.run(ENDLESS, timeout=0.5)).outcome is Outcome.TIMEOUT


def test_from_one_loop_and_from_another(waiting: AsyncSandbox) -> None:
    """Each call may come from another loop."""
    assert asyncio.run(waiting.run("z = 3")).ok
    assert asyncio.run(waiting.run("z")).value == "3"


async def test_a_sandbox_that_waits_in_a_loop(waiting: AsyncSandbox) -> None:
    """`Sandbox` works where a loop is running, as in a notebook or a server."""
    with Sandbox(memory="256m") as sandbox:
        assert sandbox.run("1").value == "1"


async def test_sandboxes_of_different_policies() -> None:
    """Two sandboxes of one program have each its own policy, in whatever threads they are."""
    asked = {"memory": "256m"}, {"profile": "strict", "memory": "320m"}
    found = []

    def use(settings: dict[str, str]) -> None:
        with Sandbox(**settings) as sandbox:
            outcome = sandbox.run(
                "import time; time.sleep(2.6 if LONG else 0)".replace("LONG", str("profile" in settings))
            )
            found.append(
                (settings["memory"], outcome.outcome, sandbox.policy.memory >> 20, sandbox.policy.profile)
            )

    threads = [threading.Thread(target=use, args=[settings]) for settings in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join, 60)
    assert sorted(found) == [("256m", "ok", 256, "default"), ("320m", "timeout", 320, "strict")]


async def test_a_cancelled_start(no_leftovers: Census) -> None:
    """A start that nobody waits for any more leaves nothing."""
    sandbox = AsyncSandbox(memory="256m")
    start = asyncio.create_task(sandbox.__aenter__())
    await asyncio.sleep(0.05)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await sandbox.close()
    assert "closed" in repr(sandbox)
