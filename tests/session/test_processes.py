"""A sandbox and the process that it belongs to: its end, its forks, Ctrl-C, and what is forgotten."""

import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from sandbox_kernel import AsyncSandbox, Sandbox
from sandbox_kernel.errors import SessionError
from sandbox_kernel.session import Outcome
from tests.leftovers import Census

FORGETFUL = """
import os, sys
from sandbox_kernel import Sandbox
kept = Sandbox(memory="256m")
print(kept.run("1 + 1").value, flush=True)
if os.fork() == 0:
    try:
        kept.run("1")
    except Exception as error:
        print(type(error).__name__, "fork" in str(error), flush=True)
    with Sandbox(memory="256m") as own:
        print(own.run("2 + 2").value, flush=True)
    sys.exit()
os.wait()
print(kept.run("3 + 3").value, flush=True)
lost = Sandbox(memory="256m")
lost.run("1")
"""


def test_a_program_that_forgets(no_leftovers: Census, tmp_path: Path) -> None:
    """What a program does not close ends with it; a fork neither uses nor ends it, and may make its own."""
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-c", FORGETFUL]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
    assert run.stdout.splitlines() == ["2", "SessionError True", "4", "6"]
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_forgotten(shared: Sandbox) -> None:
    """A sandbox that nobody can close any more is ended, and said to be."""
    sandbox = Sandbox(memory="256m")
    wall = sandbox.run("1").ok and sandbox._session._client._manager.provisioner._sandbox
    forgotten = [sandbox]
    del sandbox
    with pytest.warns(ResourceWarning, match="never closed"):
        forgotten.clear()
    gc.collect()
    assert wall.ended.result(30)


def test_forgotten_before_it_began(no_leftovers: Census) -> None:
    """One whose start nobody waits for any more, and that nobody has, is ended as soon as it has started."""
    sandbox = Sandbox(memory="256m")
    home, session = sandbox._home, sandbox._session
    home.submit(session._lock.acquire()).result(30)  # as when its thread is busy
    started = home.submit(session.start())
    while not session._tasks:
        time.sleep(0.01)
    (starting,) = session._tasks
    ended: Future[None] = Future()
    home._running().call_soon_threadsafe(starting.add_done_callback, lambda _: ended.set_result(None))
    started.cancel()
    del sandbox
    gc.collect()
    home._running().call_soon_threadsafe(session._lock.release)
    ended.result(60)
    assert (repr(session), session.alive) == ("closed", False)


def test_never_started(shared: Sandbox) -> None:
    """One that was never started has nothing to close, and says nothing."""
    sandbox = Sandbox()
    sandbox.close()
    del sandbox
    AsyncSandbox()
    gc.collect()


def test_ctrl_c(shared: Sandbox) -> None:
    """Ctrl-C stops the waiting and the code; the sandbox can be used."""
    code = "try:\n    print(1, flush=True)\n    while True: pass\nfinally: interrupted = True"

    def press(_: object) -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        shared.run(code, on_output=press)
    after = shared.run("interrupted")
    assert (after.outcome, after.value) == (Outcome.OK, "True")


def test_pickled(shared: Sandbox) -> None:
    """A sandbox is not sent to other processes, and says what to do instead."""
    with pytest.raises(SessionError, match="make one there"):
        pickle.dumps(shared)
    spawned = multiprocessing.get_context("spawn").Process(target=print, args=(shared,))
    with pytest.raises(SessionError, match="make one there"):
        spawned.start()


def test_threads_and_descriptors_are_given_back(shared: Sandbox) -> None:
    """Sandboxes that were closed hold no thread and no descriptor."""

    def after_one_more() -> tuple[int, int]:
        with Sandbox(memory="256m") as sandbox:
            assert sandbox.run("1").ok
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    counts = [after_one_more() for _ in range(6)]
    for kind in zip(*counts, strict=True):
        assert min(kind[3:]) <= max(kind[:3]), counts  # what is kept ready for the next comes with the first
