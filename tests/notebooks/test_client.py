"""nbclient's traps, each shown with nbclient first and then closed."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from sandbox_kernel.notebooks.client import MAX_PLACES, CellClient
from tests.notebooks.runs import PLAIN, notebook, text_of


@asynccontextmanager
async def started(nb: NotebookNode, **more: Any) -> AsyncIterator[CellClient]:
    client = CellClient(nb, kernel_name=PLAIN, **{"heard": lambda *_: None, **more})
    try:
        await client.start(".", 60)
        yield client
    finally:
        await client.close(now=True)


async def cancel_cell(client: NotebookClient, nb: NotebookNode) -> None:
    running = asyncio.create_task(client.async_execute_cell(nb.cells[0], 0))
    while not text_of(nb.cells[0]):
        await asyncio.sleep(0.01)
    running.cancel()
    await running


async def test_cancelled_is_cancelled() -> None:
    """nbclient takes its own cancellation for a dead kernel; CellClient does not."""
    nb = notebook("import time; print(1, flush=True); time.sleep(60)")
    theirs = NotebookClient(nb, kernel_name=PLAIN)
    async with theirs.async_setup_kernel():
        with pytest.raises(DeadKernelError):
            await cancel_cell(theirs, nb)
        assert theirs.km is not None
        await theirs.km.shutdown_kernel(now=True)
    nb = notebook(nb.cells[0].source)
    async with started(nb) as ours:
        with pytest.raises(asyncio.CancelledError):
            await cancel_cell(ours, nb)


async def test_signal_handlers_stay() -> None:
    """nbclient removes the signal handlers of its host; CellClient leaves them alone."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        async with started(notebook("1")) as client:
            await client.async_execute_cell(client.nb.cells[0], 0)
        assert loop.remove_signal_handler(signal.SIGTERM)
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        await NotebookClient(notebook("1"), kernel_name=PLAIN).async_execute()
        assert not loop.remove_signal_handler(signal.SIGTERM)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def send_while_a_reply_arrives(client: NotebookClient) -> None:
    """What nbclient's Output widget does: send on the shell socket while its reply is on the way."""
    time.sleep(0.5)  # the event loop must stand still while the reply arrives
    assert client.kc is not None
    content = {"comm_id": "nobody", "data": {}}
    client.kc.shell_channel.send(client.kc.session.msg("comm_msg", content))


class Theirs(CellClient):
    """CellClient, but waiting for replies as nbclient does."""

    _async_poll_for_reply = NotebookClient._async_poll_for_reply


@pytest.mark.parametrize(("kind", "notices"), [(Theirs, False), (CellClient, True)])
async def test_reply_that_comes_while_sending(kind: type[CellClient], notices: bool) -> None:
    """A reply that arrives while something is sent is noticed; nbclient waits for ever."""
    nb = notebook("import time; print(1, flush=True); time.sleep(0.2)")
    client = kind(nb, kernel_name=PLAIN, heard=lambda *_: send_while_a_reply_arrives(client))
    try:
        await client.start(".", 60)
        running = asyncio.create_task(client.async_execute_cell(nb.cells[0], 0))
        await asyncio.wait({running}, timeout=4)
        assert running.done() is notices
        running.cancel()
        await asyncio.wait({running})
    finally:
        await client.close(now=True)


async def test_late_output_is_kept() -> None:
    """Output that takes longer to read than nbclient's four seconds is not lost."""
    nb = notebook("for i in range(40): print('x' * 100, flush=True)\nprint('the end')")
    async with started(nb, heard=lambda *_: time.sleep(0.15)) as client:
        await client.async_execute_cell(nb.cells[0], 0)
    assert text_of(nb.cells[0]).endswith("the end\n")


async def test_malformed_messages_are_skipped() -> None:
    """A kernel that sends nonsense for output hurts nobody but itself."""
    nonsense = """
from ipykernel.kernelapp import IPKernelApp
app = IPKernelApp.instance()
for msg_type, content in [
    ("display_data", {}),
    ("stream", {"name": 5}),
    ("status", {}),
    ("comm_open", {"comm_id": "x"}),
    ("update_display_data", {"transient": {"display_id": []}}),
    ("error", {}),
    ("", {}),
]:
    app.session.send(app.iopub_socket, msg_type, content, parent=app.kernel.get_parent())
print('still here')
"""
    nb = notebook(nonsense)
    async with started(nb) as client:
        await client.async_execute_cell(nb.cells[0], 0)
    assert "still here" in text_of(nb.cells[0])


async def test_widget_state_is_kept() -> None:
    """The state of widgets is there for the notebook's metadata."""
    nb = notebook("import ipywidgets\nipywidgets.IntSlider(7)")
    async with started(nb) as client:
        await client.async_execute_cell(nb.cells[0], 0)
        client.set_widgets_metadata()
    state = nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert any(model["state"].get("value") == 7 for model in state.values())


async def longest_pause() -> float:
    """Return, once cancelled, for how long at most the event loop did nothing else."""
    longest, last = 0.0, time.monotonic()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


async def test_flood_leaves_time_for_others() -> None:
    """While a flooded socket is read the event loop goes on: deadlines and signals are heard."""
    nb = notebook("for _ in range(300): print('x', flush=True)")
    async with started(nb, heard=lambda *_: time.sleep(0.002)) as client:
        watching = asyncio.create_task(longest_pause())
        await client.async_execute_cell(nb.cells[0], 0)
        watching.cancel()
    assert await watching < 0.5


def shown(name: str, text: str, kind: str = "display_data") -> dict[str, Any]:
    content = {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": name}}
    return {"header": {"msg_type": kind}, "msg_type": kind, "parent_header": {}, "content": content}


@pytest.mark.parametrize(("client", "changed"), [(NotebookClient, 170), (CellClient, MAX_PLACES)])
def test_an_update_changes_so_many_outputs(client: type[NotebookClient], changed: int) -> None:
    """Of ten thousand outputs of one name nbclient changes each with each message; here the newest are."""
    nb = notebook("1", "2")
    own = client(nb, **({"heard": lambda *_: None} if client is CellClient else {}))
    own.reset_execution_trackers()
    own.clear_before_next_output = False
    for index, count in ((0, 90), (1, 80)):
        for _ in range(count):
            own.process_message(shown("name", "old"), nb.cells[index], index)
    own.process_message(shown("name", "new", "update_display_data"), nb.cells[1], 1)
    texts = [output.data["text/plain"] for cell in nb.cells for output in cell.outputs]
    assert texts == ["old"] * (170 - changed) + ["new"] * changed
