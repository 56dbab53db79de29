"""Every run ends in one explained way, and is saved."""

import asyncio
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from sandbox_kernel.errors import ExitCode, NotebookError
from sandbox_kernel.notebooks import NotebookRun, Outcome, Progress, RunOptions, run_notebook
from sandbox_kernel.notebooks.saving import Saver
from tests.notebooks.runs import PLAIN, Watcher, errors_of, notebook, run, saved, text_of

STARTED_AND_BUSY = "import time\nprint('busy', flush=True)\ntime.sleep(60)"
STUBBORN = """\
import os
open({pid!r}, "w").write(str(os.getpid()))
print("busy", flush=True)
while True:
    try:
        while True:
            pass
    except KeyboardInterrupt:
        open({swallowed!r}, "w").close()
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.ipynb"


async def test_ok(target: Path) -> None:
    """A run without errors is ok; its outputs, counts, timings and result are saved."""
    result = await run(notebook("print('hello')", "6 * 7"), target)
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.OK, ExitCode.OK, None)
    nb = saved(target)
    assert text_of(nb.cells[0]) == "hello\n"
    assert nb.cells[1].outputs[0].data["text/plain"] == "42"
    assert [cell.execution_count for cell in nb.cells] == [1, 2]
    assert nb.metadata.sandbox_kernel.outcome == "ok"
    assert nb.metadata.sandbox_kernel.duration > 0
    assert nb.cells[0].metadata.sandbox_kernel.duration >= 0
    assert nb.metadata.language_info.name == "python"


async def test_times_are_written_alike(target: Path) -> None:
    """All four of a cell's moments, ours and nbclient's, are ISO 8601 in UTC with a Z."""
    await run(notebook("1"), target)
    moments = saved(target).cells[0].metadata.execution
    assert len(moments) == 4
    for moment in moments.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", moment)


async def test_error(target: Path) -> None:
    """A cell that raises ends the run; what came before it is saved and what comes after it does not run."""
    result = await run(notebook("print('before')", "1 / 0", "print('after')"), target)
    assert (result.outcome, result.cell, result.cells_run) == (Outcome.ERROR, 2, 2)
    assert result.sentence == "Cell 2 raised ZeroDivisionError: division by zero"
    nb = saved(target)
    assert text_of(nb.cells[0]) == "before\n"
    assert errors_of(nb.cells[1]) == ["ZeroDivisionError: division by zero"]
    assert nb.cells[2].outputs == []


async def test_allowed_errors(target: Path) -> None:
    """With allow_errors, and for cells tagged raises-exception, the run goes on."""
    assert (await run(notebook("1 / 0", "print('on')"), target, allow_errors=True)).outcome is Outcome.OK
    assert text_of(saved(target).cells[1]) == "on\n"
    tagged = notebook("1 / 0", "print('on')")
    tagged.cells[0].metadata["tags"] = ["raises-exception"]
    assert (await run(tagged)).outcome is Outcome.OK


async def test_cell_deadline(target: Path) -> None:
    """A cell over its deadline is interrupted, so that its traceback is saved, and the run ends."""
    result = await run(notebook("print('first')", STARTED_AND_BUSY), target, cell_timeout=2)
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.TIMEOUT, ExitCode.DEADLINE, 2)
    assert result.sentence == "The cell's deadline of 2 s passed in cell 2."
    cell = saved(target).cells[1]
    assert text_of(cell) == "busy\n"
    assert [error.partition(":")[0] for error in errors_of(cell)] == [
        "KeyboardInterrupt",
        "Run ended (timeout)",
    ]


async def test_cell_that_swallows_interrupts(target: Path) -> None:
    """A cell that will not be interrupted is interrupted at its deadline, and then killed all the same."""
    pid, swallowed = target.with_name("pid"), target.with_name("swallowed")
    code = STUBBORN.format(pid=str(pid), swallowed=str(swallowed))
    async with asyncio.timeout(60):  # it would run for ever
        result = await run(notebook(code), target, cell_timeout=1)
    assert result.outcome is Outcome.TIMEOUT
    assert text_of(saved(target).cells[0]) == "busy\n"
    assert swallowed.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_notebook_deadline(target: Path) -> None:
    """The deadline of the whole notebook counts over all cells."""
    result = await run(
        notebook("print(1)", "import time; time.sleep(60)"), target, timeout=4, cell_timeout=50
    )
    assert result.outcome is Outcome.TIMEOUT
    assert result.sentence == "The notebook's deadline of 4 s passed in cell 2."
    assert text_of(saved(target).cells[0]) == "1\n"


async def test_deadline_while_the_kernel_starts(target: Path) -> None:
    """A deadline that passes before the kernel answers ends the run, which is saved."""
    result = await run(notebook("1"), target, timeout=0.01)
    assert (result.outcome, result.cells_run) == (Outcome.TIMEOUT, 0)
    assert saved(target).metadata.sandbox_kernel.outcome == "timeout"


async def test_deadline_in_a_flood(target: Path) -> None:
    """Deadlines are kept while the kernel floods us with output."""
    result = await run(notebook("while True: print('x' * 2000)"), target, cell_timeout=1)
    assert result.outcome is Outcome.TIMEOUT
    assert result.duration < 40
    assert "xxx" in text_of(saved(target).cells[0])


async def test_death(target: Path) -> None:
    """A kernel that dies ends the run with what it had said."""
    pipe = target.with_name("pipe")
    os.mkfifo(pipe)
    code = f"import os\nprint('last words', flush=True)\nopen({str(pipe)!r}).read()\nos.kill(os.getpid(), 9)"
    watcher = Watcher()
    job = NotebookRun(notebook("print(1)", code), target, RunOptions(kernel=PLAIN), watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("last words")  # a plain kernel that dies just after printing may lose it on the way
    pipe.write_text("die")
    result = await running
    assert (result.outcome, result.exit_code, result.cell) == (Outcome.DIED, ExitCode.DIED, 2)
    nb = saved(target)
    assert text_of(nb.cells[0]) == "1\n"
    assert text_of(nb.cells[1]) == "last words\n"
    assert errors_of(nb.cells[1]) == ["Run ended (died): The kernel died."]


async def test_cancel(target: Path) -> None:
    """`cancel` ends the run soon, with its reason, and what was printed so far is saved."""
    watcher = Watcher()
    job = NotebookRun(notebook(STARTED_AND_BUSY), target, RunOptions(kernel=PLAIN), watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    job.cancel("Enough.")
    result = await running
    assert (result.outcome, result.exit_code, result.sentence) == (
        Outcome.CANCELLED,
        ExitCode.CANCELLED,
        "Enough.",
    )
    cell = saved(target).cells[0]
    assert text_of(cell) == "busy\n"
    assert errors_of(cell) == ["Run ended (cancelled): Enough."]


@pytest.mark.parametrize("steps", range(12))
async def test_cancel_anywhere(target: Path, steps: int) -> None:
    """Whenever a run is cancelled, it is saved and ends as cancelled."""
    job = NotebookRun(notebook("1"), target, RunOptions(kernel=PLAIN))
    running = asyncio.create_task(job.execute())
    for _ in range(steps**3):
        await asyncio.sleep(0)
    job.cancel()
    result = await running
    assert result.outcome in (Outcome.CANCELLED, Outcome.OK)
    if steps > 0:  # before the first step there is nothing to cancel
        assert saved(target).metadata.sandbox_kernel.outcome == result.outcome


async def test_cancelled_task(target: Path) -> None:
    """When the awaiting task is cancelled the notebook is saved first; then CancelledError comes.

    Meanwhile nobody who pulls the plug leaves an older result in its place.
    """
    nbformat.write(notebook("old"), target)
    watcher = Watcher()
    running = asyncio.create_task(
        run_notebook(notebook(STARTED_AND_BUSY), target, RunOptions(kernel=PLAIN), watcher)
    )
    await watcher.said("busy")
    assert saved(target).metadata.sandbox_kernel.outcome == "running"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert saved(target).metadata.sandbox_kernel.outcome == "cancelled"


async def test_data_is_not_replaced(tmp_path: Path) -> None:
    """A file that is no notebook stays as it is, and nothing runs."""
    data = tmp_path / "data.csv"
    data.write_text("a,b")
    with pytest.raises(NotebookError, match="is no notebook"):
        await run_notebook(notebook("1"), data, RunOptions(kernel=PLAIN))
    assert data.read_text() == "a,b"


async def test_watcher_that_fails(target: Path) -> None:
    """A watcher's exception ends the run, and what was computed is saved."""

    class Failing(Progress):
        def cell_finished(self, *_: object) -> None:
            raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        await run_notebook(notebook("print(1)"), target, RunOptions(kernel=PLAIN), Failing())
    assert text_of(saved(target).cells[0]) == "1\n"
    assert "terminal is gone" in saved(target).metadata.sandbox_kernel.message


async def test_what_a_watcher_sees() -> None:
    """A watcher is told of the kernel, and of each code cell that runs, in order."""
    nb = notebook("print('a')", "  ", "print('skipped')", "print('b')")
    nb.cells[2].metadata["tags"] = ["skip-execution"]
    watcher = Watcher()
    await run_notebook(nb, None, RunOptions(kernel=PLAIN), watcher)
    assert watcher.events == [
        ("ready",),
        ("started", 1),
        ("finished", 1, "ok"),
        ("started", 2),
        ("finished", 2, "ok"),
    ]
    assert watcher.printed == "a\nb\n"


async def test_nothing_of_an_earlier_run_stays(target: Path) -> None:
    """Outputs of an earlier run do not pass for results, in cells that were not reached either."""
    nb = notebook("1 / 0", "'never run'")
    nb.metadata["sandbox_kernel"] = {"outcome": "ok"}
    nb.cells[1].outputs = [new_output("stream", text="old")]
    await run(nb, target)
    assert saved(target).cells[1].outputs == []
    assert saved(target).metadata.sandbox_kernel.outcome == "error"


async def test_saved_on_the_way(target: Path) -> None:
    """While a run goes on its finished cells are on disk, marked as a run that has not ended."""
    watcher = Watcher()
    nb = notebook("print(1)", "print(2)", STARTED_AND_BUSY)
    job = NotebookRun(nb, target, RunOptions(kernel=PLAIN), watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    async with asyncio.timeout(30):
        while text_of(saved(target).cells[1]) != "2\n":
            await asyncio.sleep(0.01)
    assert text_of(saved(target).cells[0]) == "1\n"
    assert saved(target).metadata.sandbox_kernel.outcome == "running"
    job.cancel()
    await running
    assert saved(target).metadata.sandbox_kernel.outcome == "cancelled"


async def test_a_save_on_the_way_that_fails(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full for a while costs nothing: the run goes on, and its end is saved."""
    failed = []

    def timed(saver: Saver, result: object) -> None:
        failed.append(result)
        raise NotebookError("cannot write: No space left on device.")

    monkeypatch.setattr(Saver, "_timed", timed)
    result = await run(notebook("print(1)", "print(2)"), target)
    assert failed
    assert result.outcome is Outcome.OK
    assert text_of(saved(target).cells[1]) == "2\n"


async def test_costly_saves_are_put_off(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where saving takes long it is done less often; what was put off is done while the next cell runs."""
    monkeypatch.setattr("sandbox_kernel.notebooks.saving.SHARE", 1e-9)
    watcher = Watcher()
    nb = notebook("print(1)", "print(2)", STARTED_AND_BUSY)
    job = NotebookRun(nb, target, RunOptions(kernel=PLAIN), watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    assert [text_of(cell) for cell in saved(target).cells] == ["1\n", "", ""]
    later = job._saver._later
    assert later is not None
    job._saver.late(job._unfinished)  # what the loop does when it is time
    assert [text_of(cell) for cell in saved(target).cells[:2]] == ["1\n", "2\n"]
    assert later.cancelled()
    job.cancel()
    await running
    assert saved(target).metadata.sandbox_kernel.outcome == "cancelled"


async def test_no_such_kernel(target: Path) -> None:
    """A kernel that does not exist is refused in one sentence; nothing is written."""
    with pytest.raises(NotebookError, match="no kernel named 'nonesuch'"):
        await run(notebook("1"), target, kernel="nonesuch")
    assert not target.exists()


async def test_unwritable_target(tmp_path: Path) -> None:
    """A place that cannot be written is refused before anything runs."""
    ran = tmp_path / "ran"
    with pytest.raises(NotebookError, match="cannot write"):
        await run(notebook(f"open({str(ran)!r}, 'w')"), tmp_path / "missing" / "out.ipynb")
    assert not ran.exists()
