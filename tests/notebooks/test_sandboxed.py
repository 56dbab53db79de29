"""Runs on the sandboxed kernel: the cause of death comes from outside the wall."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from sandbox_kernel.errors import ExitCode, PolicyError
from sandbox_kernel.notebooks import DEFAULT_KERNEL, NotebookRun, Outcome, RunOptions
from tests.leftovers import Census
from tests.notebooks.runs import Watcher, errors_of, notebook, run, saved, text_of

MEMORY_BOMB = "held = []\nwhile True: held.append(bytearray(b'x') * (32 << 20))"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.ipynb"


async def test_memory(target: Path, monkeypatch: pytest.MonkeyPatch, no_leftovers: Census) -> None:
    """A kernel killed for its memory ends the run with outcome memory, told once in the cell."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "256m")
    nb = notebook("print('before')", MEMORY_BOMB, "print('after')")
    result = await run(nb, target, kernel=DEFAULT_KERNEL, directory=target.parent)
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.MEMORY, ExitCode.LIMIT, 2)
    assert "256 MiB" in result.sentence
    cells = saved(target).cells
    assert text_of(cells[0]) == "before\n"
    assert len(errors_of(cells[1])) == 1
    assert "256 MiB" in errors_of(cells[1])[0]


async def test_forged_death(target: Path) -> None:
    """A kernel that pretends to have been killed for a limit has raised an error, no more."""
    forged = "class MemoryLimitReached(Exception): pass\nraise MemoryLimitReached('Killed: used 256 MiB')"
    result = await run(notebook(forged), target, kernel=DEFAULT_KERNEL, directory=target.parent)
    assert result.outcome is Outcome.ERROR


@pytest.mark.parametrize("ending", ["import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), 11)"])
async def test_own_end(target: Path, ending: str) -> None:
    """A kernel that ends by itself has died, also with exit status 0."""
    result = await run(notebook("print(1)", ending), target, kernel=DEFAULT_KERNEL, directory=target.parent)
    assert (result.outcome, result.cell) == (Outcome.DIED, 2)
    assert text_of(saved(target).cells[0]) == "1\n"


LAST_WORDS = """
import atexit, pathlib
left = open('left.txt', 'w')
left.write('whole')
atexit.register(pathlib.Path('last.txt').write_text, 'words')
"""
"""What a program does as it ends: it writes what is still in its buffers, and what it has put off."""


async def test_what_a_kernel_has_put_off_is_done(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a kernel may write, it is asked to end, and not ended in the middle of it."""
    monkeypatch.setenv("SANDBOX_KERNEL_WORKSPACE", "rw")
    result = await run(notebook(LAST_WORDS), target, kernel=DEFAULT_KERNEL, directory=target.parent)
    assert result.outcome is Outcome.OK
    assert (target.parent / "left.txt").read_text() == "whole"
    assert (target.parent / "last.txt").read_text() == "words"


async def test_a_kernel_that_can_change_nothing_is_not_waited_for(target: Path) -> None:
    """Nobody would ever see what it does at its end, however long that takes."""
    put_off = "import atexit, time\natexit.register(time.sleep, 3600)"
    job = NotebookRun(notebook(put_off), target, RunOptions(kernel=DEFAULT_KERNEL, directory=target.parent))
    assert (await job.execute()).outcome is Outcome.OK
    assert job._client.shutdown_kernel == "immediate"


async def test_lost(target: Path, no_leftovers: Census) -> None:
    """A sandbox that somebody else takes away in mid-run is lost: no doing of the code's."""
    watcher = Watcher()
    options = RunOptions(directory=target.parent)
    job = NotebookRun(notebook("print('busy', flush=True)\nwhile True: pass"), target, options, watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    os.kill(job._client.km.provisioner._sandbox.pid, signal.SIGKILL)
    result = await running
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.LOST, ExitCode.DIED, 1)
    assert text_of(saved(target).cells[0]) == "busy\n"


async def test_failed_start(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that does not start is lost, and what it said is in the saved notebook."""
    spec = target.parent / "kernels" / "lame"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "import sys; sys.exit('no legs')", "{connection_file}"]
    metadata = {"kernel_provisioner": {"provisioner_name": "sandbox-provisioner"}}
    content = {"argv": argv, "display_name": "lame", "language": "python", "metadata": metadata}
    (spec / "kernel.json").write_text(json.dumps(content))
    monkeypatch.setenv("JUPYTER_PATH", str(target.parent))
    result = await run(notebook("1"), target, kernel="lame", directory=target.parent)
    assert (result.outcome, result.exit_code, result.cells_run) == (Outcome.LOST, ExitCode.DIED, 0)
    assert "no legs" in saved(target).metadata.sandbox_kernel.message


@pytest.mark.parametrize("allow_errors", [False, True])
async def test_limit(target: Path, monkeypatch: pytest.MonkeyPatch, *, allow_errors: bool) -> None:
    """A cell that is over a limit of the policy ends the run as limit, whatever is allowed."""
    monkeypatch.setenv("SANDBOX_KERNEL_CODE", "1k")
    nb = notebook("print('before')", "#" * 2000, "print('after')")
    options = {"kernel": DEFAULT_KERNEL, "directory": target.parent, "allow_errors": allow_errors}
    result = await run(nb, target, **options)
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.LIMIT, ExitCode.LIMIT, 2)
    assert "allows 1 KiB ('code')" in result.sentence
    assert len(errors_of(saved(target).cells[1])) == 1


async def test_deadline(target: Path, no_leftovers: Census) -> None:
    """A deadline leaves nothing of the sandbox behind."""
    nb = notebook("print('x', flush=True)\nwhile True: pass")
    result = await run(nb, target, kernel=DEFAULT_KERNEL, directory=target.parent, cell_timeout=1)
    assert result.outcome is Outcome.TIMEOUT


SLEEPER = "import time\ntime.sleep(60)"
CAUGHT = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"


@pytest.mark.parametrize("said_by", ["environment", "administrator"])
@pytest.mark.parametrize("code", [SLEEPER, CAUGHT])
@pytest.mark.parametrize("allow_errors", [False, True])
async def test_a_deadline_that_only_the_guard_knows(
    target: Path, monkeypatch: pytest.MonkeyPatch, said_by: str, code: str, allow_errors: bool
) -> None:
    """A cell that the guard interrupts at its deadline ends the run as timeout, whatever the cell says."""
    options = RunOptions(directory=target.parent, cell_timeout=50, allow_errors=allow_errors)
    job = NotebookRun(notebook("1", code, "print('after')"), target, options)
    if said_by == "administrator":
        job._client.config = Config({"SandboxProvisioner": {"cell_timeout": "1s"}})
    else:
        monkeypatch.setenv("SANDBOX_KERNEL_CELL_TIMEOUT", "1s")
    result = await job.execute()
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.TIMEOUT, ExitCode.DEADLINE, 2)
    assert result.sentence == "Cell 2: The deadline of 1 s for a cell passed ('cell_timeout')."
    cells = saved(target).cells
    assert sum("deadline of 1 s" in str(output) for output in cells[1].outputs) == 1
    assert not cells[2].outputs


async def test_an_interrupt_that_is_no_deadline(target: Path) -> None:
    """A cell that interrupts itself has raised an error, no more."""
    nb = notebook("raise KeyboardInterrupt('The deadline of 1 s for a cell passed.')")
    result = await run(nb, target, kernel=DEFAULT_KERNEL, directory=target.parent, cell_timeout=50)
    assert result.outcome is Outcome.ERROR


async def test_refused_policy(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that is refused is an error of use; nothing runs and nothing is written."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMROY", "256m")
    with pytest.raises(PolicyError, match="SANDBOX_KERNEL_MEMORY"):
        await run(notebook("1"), target, kernel=DEFAULT_KERNEL, directory=target.parent)
    assert not target.exists()
