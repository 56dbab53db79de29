"""How kernels end, and what the contract asks of a provisioner before, while and after."""

import asyncio
import json
import logging
import queue
import signal
from concurrent.futures import Future
from pathlib import Path

import pytest
import zmq
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import _ShutdownStatus
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from sandbox_provisioner import SandboxProvisioner

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.deaths import Death
from tests.provisioner.conftest import serve
from tests.provisioner.kernels import PATIENCE, printed, running, running_async, until, until_async

pytestmark = pytest.mark.usefixtures("memory", "no_leftovers")


def at_once(coroutine):
    """Run a coroutine that may not wait for anything."""
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


def unused():
    return SandboxProvisioner(kernel_id="1", kernel_spec=KernelSpec())


# poll and wait


@pytest.mark.parametrize(
    ("code", "status"),
    [("import os; os._exit(7)", 7), ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV)],
)
async def test_poll_tells_the_exit_status(jupyter, code, status):
    """poll gives the kernel's own exit status, and still does after wait."""
    async with running_async() as (manager, client):
        client.execute(code)
        provisioner = manager.provisioner
        await until_async(lambda: at_once(provisioner.poll()) is not None)
        assert at_once(provisioner.poll()) == status
        assert await provisioner.wait() == status
        assert at_once(provisioner.poll()) == status


async def test_notices_outlive_the_kernel(jupyter, monkeypatch):
    """A deadline that interrupted a cell is in `notices`, also after the end; the next launch begins anew."""
    monkeypatch.setenv("SANDBOX_KERNEL_CELL_TIMEOUT", "1s")
    async with running_async() as (manager, client):
        provisioner = manager.provisioner
        assert provisioner.notices == ()
        client.execute("import time; time.sleep(60)")
        reply = await client.get_shell_msg(timeout=PATIENCE)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        notices = provisioner.notices
        assert [(notice.kind, "1 s" in notice.sentence) for notice in notices] == [("deadline", True)]
        await provisioner.kill()
        await provisioner.wait()
        assert provisioner.notices == notices
        with pytest.raises(AttributeError):
            provisioner.notices = ()
        await manager.restart_kernel(now=True)
        assert provisioner.notices == ()


async def test_poll_never_yields(jupyter):
    """A poll that yields during a shutdown lets jupyter_client's restarter resurrect the kernel."""
    assert at_once(unused().poll()) == 0
    async with running_async() as (manager, _):
        assert at_once(manager.provisioner.poll()) is None


async def test_wait_lets_go_of_the_process(jupyter):
    """There is a process until wait has returned, and none afterwards."""
    async with running_async() as (manager, _):
        provisioner = manager.provisioner
        await provisioner.kill()
        assert provisioner.has_process
        await provisioner.wait()
        assert not provisioner.has_process
        await provisioner.wait()


async def test_a_wait_that_is_cancelled(jupyter):
    """jupyter_client gives up waiting for an end after a while; the end comes all the same."""
    async with running_async() as (manager, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(manager.provisioner.wait(), timeout=0.05)
        await manager.provisioner.kill()
        assert await manager.provisioner.wait() is not None


# Signals


@pytest.mark.parametrize("verb", ["kill", "terminate", "signal", "zero"])
async def test_the_dead_are_not_bothered(jupyter, verb):
    """Signals reach dead kernels and those that never lived; none of it is an error."""
    verbs = {
        "kill": lambda provisioner: provisioner.kill(),
        "terminate": lambda provisioner: provisioner.terminate(),
        "signal": lambda provisioner: provisioner.send_signal(signal.SIGINT),
        "zero": lambda provisioner: provisioner.send_signal(0),
    }
    act = verbs[verb]
    await act(unused())
    async with running_async() as (manager, _):
        await manager.provisioner.kill()
        await act(manager.provisioner)
        await until_async(lambda: at_once(manager.provisioner.poll()) is not None)
        await act(manager.provisioner)
        await manager.provisioner.wait()
        await act(manager.provisioner)


async def test_terminate_ends_the_kernel(jupyter):
    """terminate is SIGTERM: the kernel ends by it."""
    async with running_async() as (manager, _):
        await manager.provisioner.terminate()
        assert await manager.provisioner.wait() in {-signal.SIGTERM, 0}


@pytest.mark.parametrize("verb", ["kill", "terminate"])
@pytest.mark.parametrize("restart", [True, False])
async def test_kill_and_terminate_keep_the_addresses(jupyter, verb, restart):
    """Neither is told truly whether a restart follows, so neither takes what clients hold on to."""
    async with running_async() as (manager, _):
        provisioner = manager.provisioner
        directory = Path(provisioner.connection_info["ip"]).parent
        await getattr(provisioner, verb)(restart=restart)
        await provisioner.wait()
        await provisioner.cleanup(restart=True)
        assert directory.exists()


def test_a_dead_kernel_can_be_restarted(jupyter):
    """The restarter interrupts, kills and waits for a kernel that is long dead, and then starts it."""
    with running() as (manager, client):
        client.execute("import os; os._exit(1)")
        until(lambda: not manager.is_alive())
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)
        assert printed(client, "print(1)") == "1"


# Shutting down


def test_a_graceful_shutdown_is_graceful(jupyter):
    """The kernel gets its shutdown_request and the time to act on it."""
    with running() as (manager, client):
        printed(client, "import atexit, pathlib; _ = atexit.register(pathlib.Path('farewell').touch)")
        manager.shutdown_kernel()
        assert manager._shutdown_status is _ShutdownStatus.ShutdownRequest
    assert (jupyter.notebooks / "farewell").exists()


def test_a_kernel_that_is_deaf_is_interrupted_and_ended(jupyter):
    """What it was asked on its control channel it need not have heard: signals follow, and no cell stays."""
    with running() as (manager, client):
        printed(client, "get_ipython().kernel.control_handlers.clear()")
        client.execute("print('begun', flush=True)\nimport time; time.sleep(1000)")
        said(client, "begun")
        client.control_channel.send(client.session.msg("interrupt_request", {}))
        with pytest.raises(queue.Empty):  # so much for asking
            client.get_control_msg(timeout=1)
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=PATIENCE)["content"]["ename"] == "KeyboardInterrupt"
        manager.shutdown_wait_time = 1.0
        manager.shutdown_kernel()
        assert manager._shutdown_status is not _ShutdownStatus.ShutdownRequest
        assert not manager.is_alive()


def said(client, text):
    """Wait until the running cell has printed that."""
    while text not in client.get_iopub_msg(timeout=PATIENCE)["content"].get("text", ""):
        pass


def test_the_order_of_a_restart(jupyter, monkeypatch, memory):
    """A graceful restart calls us in the order that we rely on; a forced one never says "restart" to kill."""
    calls = []

    class Witness(memory):
        async def shutdown_requested(self, restart=False):
            calls.append(("shutdown_requested", restart))
            await super().shutdown_requested(restart)

        async def kill(self, restart=False):
            calls.append(("kill", restart))
            await super().kill(restart)

        async def cleanup(self, restart=False):
            calls.append(("cleanup", restart))
            await super().cleanup(restart)

        async def launch_kernel(self, cmd, **kwargs):
            calls.append(("launch", None))
            return await super().launch_kernel(cmd, **kwargs)

    serve(monkeypatch, Witness)
    with running() as (manager, _):
        manager.restart_kernel()
        manager.restart_kernel(now=True)
    start, stop = ("launch", None), ("cleanup", True)
    graceful = [("shutdown_requested", True), stop, start]
    assert calls == [start, *graceful, ("kill", False), stop, start, ("kill", False), ("cleanup", False)]


async def test_cleanup_may_come_twice_or_never_after_a_launch(jupyter, no_leftovers):
    """nbclient cleans up twice; and cleaning up where nothing is, is nothing."""
    provisioner = unused()
    await provisioner.cleanup()
    await provisioner.cleanup(restart=True)
    async with running_async() as (manager, _):
        await manager.provisioner.cleanup()
        await manager.provisioner.cleanup()
        assert not manager.provisioner.has_process


async def test_cleanup_may_be_the_only_call(jupyter, no_leftovers):
    """A cleanup alone ends a running kernel and leaves nothing."""
    async with running_async() as (manager, client):
        client.stop_channels()
        await manager.cleanup_resources()
        assert not await manager.is_alive()
        assert not no_leftovers.settle()


def test_a_manager_can_start_again_after_shutdown(jupyter):
    """After the end of everything the same manager starts a new kernel, at a new address."""
    with zmq.Context() as context:
        manager = KernelManager(kernel_name="boxed", context=context)
        keys = set()
        for _ in range(2):
            manager.start_kernel()
            keys.add(manager.provisioner.connection_info["key"])
            manager.shutdown_kernel(now=True)
        assert len(keys) == 2


def test_launching_again_without_cleaning_up(jupyter, no_leftovers):
    """A second start without a shutdown replaces the first kernel; it is not lost."""
    with running() as (manager, _):
        manager.start_kernel()
    assert not no_leftovers.settle()


def notebook(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_nbclient(jupyter, no_leftovers):
    """nbclient runs a notebook and leaves nothing."""
    run = NotebookClient(notebook("x = 6", "print(x * 7)"), kernel_name="boxed", timeout=PATIENCE)
    assert run.execute().cells[1].outputs[0]["text"] == "42\n"
    assert not no_leftovers.settle()


def test_nbclient_with_a_kernel_that_dies(jupyter, no_leftovers):
    """nbclient cleans up, and does nothing else, when a kernel died."""
    run = NotebookClient(notebook("import os; os._exit(3)", "1"), kernel_name="boxed", timeout=PATIENCE)
    with pytest.raises(Exception, match="exit status 3"):
        run.execute()
    assert not no_leftovers.settle()


async def test_an_unexpected_end_is_logged(jupyter, caplog):
    """Whoever runs the server reads in its log why a kernel ended, without its control characters."""
    async with running_async() as (manager, client):
        manager.provisioner.log.propagate = True
        with caplog.at_level(logging.WARNING):
            client.execute("import os; os._exit(3)")
            await until_async(lambda: at_once(manager.provisioner.poll()) is not None)
    assert any("exit status 3" in record.getMessage() for record in caplog.records)


async def test_logs_are_harmless(jupyter, caplog):
    """What a kernel writes, and what is said about it, sends nothing to the reader's terminal but text."""
    async with running_async() as (manager, client):
        provisioner = manager.provisioner
        provisioner.log.propagate = True
        with caplog.at_level(logging.INFO):
            client.execute("import os; os.write(2, b'\\x1b[2J went by\\n')")
            await until_async(lambda: "went by" in caplog.text)
        ended = Future()
        ended.set_result(Death("lost", "\x1b[2J broken", ExitCode.DIED, 1))
        provisioner._log_death(ended)
    assert "broken" in caplog.text
    assert "\x1b" not in caplog.text


# For applications


async def test_provisioner_info_is_json(jupyter):
    """What describes a kernel survives JSON and comes back with the key as bytes."""
    async with running_async() as (manager, _):
        info = json.loads(json.dumps(await manager.provisioner.get_provisioner_info()))
        other = unused()
        await other.load_provisioner_info(info)
        assert other.connection_info == manager.provisioner.connection_info
        assert other.kernel_id == manager.kernel_id
        assert not other.has_process


def test_times_are_jupyters_own(jupyter):
    """We claim no other times for start and shutdown than Jupyter's configuration says."""
    assert unused().get_stable_start_time(recommended=11.0) == 11.0
    assert unused().get_shutdown_wait_time(recommended=3.0) == 3.0


def test_resolve_path(jupyter, tmp_path):
    """What the kernel sees of the host is found at the same path; all else is nothing."""
    (jupyter.notebooks / "module.py").touch()
    (jupyter.notebooks / "way-out").symlink_to("/etc/passwd")
    (jupyter.notebooks / "~").mkdir()
    (jupyter.notebooks / "~" / "module.py").touch()
    assert unused().resolve_path("module.py") is None
    with running() as (manager, _):
        here = jupyter.notebooks.resolve()
        assert manager.resolve_path("module.py") == str(here / "module.py")
        assert manager.resolve_path(str(here / "module.py")) == str(here / "module.py")
        for path in ("absent.py", "way-out", "/etc/passwd", "../data", "~/module.py", "a\0b"):
            assert manager.resolve_path(path) is None


def test_resolve_path_without_workspace(jupyter):
    """Where the directory is not shared, nothing in it is found."""
    (jupyter.notebooks / "module.py").touch()
    jupyter.spec(config={"workspace": "none"})
    with running() as (manager, _):
        assert manager.resolve_path("module.py") is None
