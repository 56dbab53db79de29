"""Behind the real wall, under everything that manages kernels."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jupyter_client import AsyncMultiKernelManager, KernelManager, MultiKernelManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, MappingKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.provisioner.kernels import (
    PATIENCE,
    connected,
    printed,
    printed_async,
    running,
    running_async,
    until,
    until_async,
)

pytestmark = pytest.mark.usefixtures("jupyter", "no_leftovers")

WALLED = "import os; print(os.path.exists('/root/.profile') or os.path.exists('/root/.bashrc'), os.getppid())"


def test_it_is_behind_the_wall():
    """These kernels are really sandboxed: their parent is the sandbox's PID 1."""
    with running() as (_, client):
        assert printed(client, WALLED) == "False 1"


def test_the_synchronous_manager_stands_still():
    """Under KernelManager no event loop runs between two calls; the kernel is served all the same."""
    with running() as (manager, client):
        for number in range(20):
            assert printed(client, f"print({number})") == str(number)
        assert manager.is_alive()


async def test_the_asynchronous_manager():
    """Start, use, interrupt, restart and shutdown under AsyncKernelManager."""
    async with running_async() as (manager, client):
        assert await printed_async(client, "print(6 * 7)") == "42"
        message = client.execute("import time; print('begun', flush=True); time.sleep(600)")
        await until_begun(client, message)
        await manager.interrupt_kernel()
        reply = await client.get_shell_msg(timeout=PATIENCE)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=PATIENCE)
        assert await printed_async(client, "print(6 * 7)") == "42"


async def until_begun(client, message):
    """Wait for what the cell prints: an interrupt before its first line is lost in any IPython."""
    while True:
        received = await client.get_iopub_msg(timeout=PATIENCE)
        if received["parent_header"].get("msg_id") == message and received["msg_type"] == "stream":
            return


async def test_managers_in_a_running_loop():
    """The synchronous manager works inside a running event loop, as in a notebook that starts a kernel."""
    with running() as (_, client):
        assert printed(client, "print(1)") == "1"


def test_threads():
    """Every thread may have its own manager."""

    def use(number):
        with running() as (_, client):
            return printed(client, f"print({number} ** 2)")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == ["0", "1", "4", "9"]


def test_a_manager_used_from_another_thread():
    """A kernel that one thread started, another uses and ends; the first may be gone by then."""
    managers = []

    def start():
        manager = KernelManager(kernel_name="boxed")
        manager.start_kernel()
        managers.append(manager)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (manager,) = managers
    try:
        with connected(manager) as client:
            assert printed(client, "print(1)") == "1"
    finally:
        manager.shutdown_kernel(now=True)


async def test_many_at_once():
    """Eight kernels start at once in one event loop, are told apart, and end at once."""
    manager = AsyncMultiKernelManager(default_kernel_name="boxed")
    ids = await asyncio.gather(*(manager.start_kernel() for _ in range(8)))
    try:
        assert len({manager.get_kernel(kernel_id).ip for kernel_id in ids}) == 8
        answers = await asyncio.gather(
            *(answer(manager.get_kernel(kernel_id), kernel_id) for kernel_id in ids)
        )
        assert answers == ids
    finally:
        await manager.shutdown_all(now=True)


async def answer(manager, kernel_id):
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=PATIENCE)
        return await printed_async(client, f"print('{kernel_id}')")
    finally:
        client.stop_channels()


def test_the_loop_is_not_blocked():
    """While a kernel starts and ends, the event loop that started it goes on: it serves other people."""

    async def longest_pause():
        longest, last, done = 0.0, time.monotonic(), asyncio.Event()

        async def tick():
            nonlocal longest, last
            while not done.is_set():
                await asyncio.sleep(0.005)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()

        ticking = asyncio.create_task(tick())
        async with running_async():
            pass
        done.set()
        await ticking
        return longest

    assert asyncio.run(longest_pause()) < 0.5


@pytest.mark.parametrize("manager_class", [MultiKernelManager, AsyncMultiKernelManager])
async def test_multi_kernel_managers(manager_class):
    """Both of jupyter_client's multi-kernel managers start, restart and end our kernels."""
    manager = manager_class(default_kernel_name="boxed")
    kernel_id = await settled(manager.start_kernel())
    await settled(manager.restart_kernel(kernel_id, now=True))
    assert await settled(manager.is_alive(kernel_id))
    await settled(manager.shutdown_kernel(kernel_id, now=True))
    assert kernel_id not in manager


async def settled(result):
    return await result if asyncio.iscoroutine(result) or asyncio.isfuture(result) else result


@pytest.mark.parametrize("manager_class", [AsyncMappingKernelManager, MappingKernelManager])
async def test_jupyter_servers_managers(jupyter, manager_class):
    """jupyter_server's managers start, restart and end our kernels, in the directory it names."""
    manager = manager_class(default_kernel_name="boxed", root_dir=str(jupyter.notebooks))
    (jupyter.notebooks / "deep").mkdir()
    kernel_id = await settled(manager.start_kernel(path="deep"))
    kernel = manager.get_kernel(kernel_id)
    try:
        await settled(kernel.ready)
        assert kernel.resolve_path(".") == str((jupyter.notebooks / "deep").resolve())
        await settled(manager.interrupt_kernel(kernel_id))
        await settled(manager.restart_kernel(kernel_id))
        assert await settled(kernel.is_alive())
    finally:
        await settled(manager.shutdown_kernel(kernel_id, now=True))


async def test_auto_restart(jupyter):
    """jupyter_server's restarter brings a dead kernel back, and its clients go on."""
    manager = AsyncMappingKernelManager(default_kernel_name="boxed", root_dir=str(jupyter.notebooks))
    kernel_id = await manager.start_kernel()
    kernel = manager.get_kernel(kernel_id)
    restarts = []
    manager.add_restart_callback(kernel_id, lambda: restarts.append(kernel.provisioner._sandbox))
    client = kernel.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=PATIENCE)
        client.execute("import os; os._exit(1)")
        await until_async(lambda: restarts)
        await until_async(lambda: kernel.provisioner._sandbox not in restarts and kernel.has_kernel)
        await client.wait_for_ready(timeout=PATIENCE)
        assert await printed_async(client, "print(6 * 7)") == "42"
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(kernel_id, now=True)


INTERRUPTED = {
    "python": "while True: pass",
    "sleep": "import time; time.sleep(600)",
    "subprocess": "import subprocess; subprocess.run(['sleep', '600'])",
}


SLEEPERS = """
from pathlib import Path
print(sum(path.read_text().startswith("sleep") for path in Path("/proc").glob("[0-9]*/comm")))
"""


@pytest.mark.parametrize("mode", ["signal", "message"])
@pytest.mark.parametrize("code", INTERRUPTED.values(), ids=INTERRUPTED)
def test_interrupts(jupyter, mode, code):
    """Both ways of interrupting end what a cell does, its child processes included, and never the kernel."""
    jupyter.spec(interrupt_mode=mode)
    with running() as (manager, client):
        printed(client, "import os; pid = os.getpid()")
        message = client.execute("print('go', flush=True)\n" + code)
        until(lambda: client.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream")
        manager.interrupt_kernel()
        until(lambda: client.get_shell_msg(timeout=PATIENCE)["parent_header"]["msg_id"] == message)
        client.wait_for_ready(timeout=PATIENCE)
        assert printed(client, "import os; print(os.getpid() == pid)") == "True"
        assert printed(client, SLEEPERS) == "0"


FORK = """
import asyncio, os, sys
from jupyter_client import KernelManager

manager = KernelManager(kernel_name="boxed")
manager.start_kernel()
if os.fork() == 0:
    provisioner = manager.provisioner
    loop = asyncio.new_event_loop()
    loop.run_until_complete(provisioner.kill())
    loop.run_until_complete(provisioner.wait())
    loop.run_until_complete(provisioner.cleanup())
    os._exit(provisioner.has_process)
_, status = os.wait()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)
print(status, manager.is_alive())
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


def test_a_forked_child_leaves_the_kernel_alone():
    """A child that clears up what it inherited harms nothing: the kernel is its parent's."""
    run = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["0", "True"]


def test_ctrl_c_in_the_terminal_reaches_only_the_host():
    """The processes of a sandbox are in sessions of their own: a Ctrl-C in the terminal is not for them."""
    before = children_in_our_session()  # those of other tests in this process
    with running():
        deadline = time.monotonic() + PATIENCE
        while (here := children_in_our_session() - before) and time.monotonic() < deadline:
            time.sleep(0.01)  # one that has just been forked leaves in a moment
        assert not here


def children_in_our_session() -> set[int]:
    here: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = [int(pid) for pid in path.read_text().split()]
            here |= {
                pid for pid in children if os.getsid(pid) == os.getsid(0) or os.getpgid(pid) == os.getpgrp()
            }
    return here


def test_nbclient():
    """nbclient runs a notebook behind the wall."""
    notebook = new_notebook(cells=[new_code_cell("x = 6"), new_code_cell("print(x * 7)")])
    NotebookClient(notebook, kernel_name="boxed", timeout=PATIENCE).execute()
    assert notebook.cells[1].outputs[0]["text"] == "42\n"
