"""However a run ends, its notebook has every finished output and the right status; through the program.

One notebook for all ends: two cells that come to their end, one that prints and then lasts until
something happens, one that is never reached. What happened is on disk whoever ended it.
"""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.cli.conftest import Run
from tests.leftovers import Census
from tests.provisioner.kernels import until

Notebook = Callable[..., Path]
Started = Callable[..., subprocess.Popen[str]]

FIRST = "print('first')"
SECOND = "from IPython.display import display\ndisplay({'text/plain': 'drawn'}, raw=True)\n6 * 7"
BUSY = "print('busy', flush=True)\nwhile True: pass"
BOMB = "print('busy', flush=True)\nheld = []\nwhile True: held.append(bytearray(b'x') * (32 << 20))"
CRASH = "print('busy', flush=True)\nimport os, time\ntime.sleep(1)\nos.kill(os.getpid(), 11)"
"""What it printed has left the kernel by then; nothing in there could tell."""
NEVER = "print('never')"
RESULT = Path("a-executed.ipynb")


def result(outcome: str, code: int) -> NotebookNode:
    """Return the saved notebook, once what all ends have in common is seen to be so."""
    nb = nbformat.read(RESULT, as_version=4)
    nbformat.validate(nb)
    first, second, last, never = nb.cells
    assert first.outputs[0].text == "first\n"
    assert [output.data["text/plain"] for output in second.outputs] == ["drawn", "42"]
    assert last.outputs[0].text == "busy\n"
    assert last.outputs[-1].output_type == "error"
    assert never.outputs == []
    own = nb.metadata.sandbox_kernel
    assert (own.outcome, own.exit_code, own.cell, own.cells_run, own.cells) == (outcome, code, 3, 3, 4)
    ends = [cell.metadata.get("sandbox_kernel", {}).get("outcome") for cell in nb.cells]
    assert ends == ["ok", "ok", outcome, None]
    assert list(Path.cwd().glob(".sandbox-kernel-*")) == []
    return nb


def given(notebook: Notebook, last: str) -> tuple[Path, bytes]:
    source = notebook("a.ipynb", FIRST, SECOND, last, NEVER)
    return source, source.read_bytes()


def test_a_terminal_that_is_to_be_outlasted(started: Started, notebook: Notebook) -> None:
    """Under nohup, a run goes on when its terminal goes away: it is another signal that ends it."""
    source, _ = given(notebook, BUSY)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    program = started("run", "--log-output", source)
    assert program.stdout
    while program.stdout.readline() != "busy\n":
        pass
    for number in (signal.SIGHUP, signal.SIGTERM):
        program.send_signal(number)
    assert program.wait(timeout=60) == 130
    assert result("cancelled", 130).metadata.sandbox_kernel.message == "Cancelled by SIGTERM."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals(started: Started, notebook: Notebook, number: signal.Signals, no_leftovers: Census) -> None:
    """SIGTERM, Ctrl-C and a terminal that goes away cancel a run; nothing that was finished is lost."""
    source, before = given(notebook, BUSY)
    program = started("run", "--log-output", source)
    assert program.stdout
    while program.stdout.readline() != "busy\n":
        pass
    program.send_signal(number)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 130, errors
    nb = result("cancelled", 130)
    assert nb.metadata.sandbox_kernel.message == f"Cancelled by {number.name}."
    assert source.read_bytes() == before


ENDS = [
    (BUSY, ("--cell-timeout", "3"), "timeout", 124, "The cell's deadline of 3 s passed in cell 3."),
    (BOMB, ("--memory", "256m"), "memory", 137, "of 256 MiB memory ('memory')."),
    (CRASH, (), "died", 138, "Cell 3: The kernel died of SIGSEGV (Segmentation fault)."),
]


@pytest.mark.parametrize(
    ("code", "options", "outcome", "exit_code", "sentence"), ENDS, ids=[end[2] for end in ENDS]
)
def test_ends(
    sandbox_kernel: Run,
    notebook: Notebook,
    code: str,
    options: tuple[str, ...],
    outcome: str,
    exit_code: int,
    sentence: str,
    no_leftovers: Census,
) -> None:
    """A deadline, the memory limit and a kernel that dies: each has its status, its code and its sentence."""
    source, before = given(notebook, code)
    done = sandbox_kernel("run", "-q", source, *options)
    assert done.returncode == exit_code, done.stderr
    assert done.stderr.startswith(f"{outcome}: ")
    assert result(outcome, exit_code).metadata.sandbox_kernel.message.endswith(sentence)
    assert source.read_bytes() == before


def test_killed_without_a_word(started: Started, notebook: Notebook, no_leftovers: Census) -> None:
    """A program that is killed with -9 leaves what was finished, saved as a run that has not ended."""
    source, before = given(notebook, BUSY)
    program = started("run", "--log-output", source)
    assert program.stdout
    while program.stdout.readline() != "busy\n":
        pass
    until(lambda: RESULT.exists() and nbformat.read(RESULT, as_version=4).cells[1].outputs)
    program.kill()
    program.wait(timeout=60)
    nb = nbformat.read(RESULT, as_version=4)
    assert nb.metadata.sandbox_kernel.outcome == "running"
    assert [output.data["text/plain"] for output in nb.cells[1].outputs] == ["drawn", "42"]
    assert source.read_bytes() == before
