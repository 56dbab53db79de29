"""The command line as a program, with a home of its own."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
Run = Callable[..., subprocess.CompletedProcess[str]]


def on_terminal(*arguments: str | Path, stdout: IO[str] | None = None, columns: int = 100) -> str:
    """Run the program on a terminal and return all that the terminal was sent."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=slave, stdout=stdout or slave, stderr=slave, env=environment
    ) as program:
        os.close(slave)
        sent = b""
        while True:
            try:
                sent += os.read(master, 65536)
            except OSError:  # the terminal's other end is closed: the program has ended
                break
        program.wait(timeout=60)
    os.close(master)
    return sent.decode()


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory and a place for kernels that nobody shares; no settings from outside."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("JUPYTER_DEFAULT_PROVISIONER_NAME", raising=False)
    for name in [name for name in os.environ if name.startswith("SANDBOX_KERNEL_")]:
        monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def sandbox_kernel() -> Run:
    """Runs the program and returns what it said and its exit code."""

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=120, **options
        )

    return run


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program and returns it running; it is gone after the test."""
    programs = []
    outside = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        programs.append(
            subprocess.Popen([PROGRAM, *arguments], stdout=pipe, stderr=pipe, text=True, bufsize=1)
        )
        return programs[-1]

    yield start
    for program in programs:
        with program:
            program.kill()
    signal.signal(signal.SIGHUP, outside)


@pytest.fixture
def notebook() -> Callable[..., Path]:
    """Writes a notebook into the current directory."""

    def write(name: str, *sources: str) -> Path:
        path = Path.cwd() / name
        nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
        return path

    return write
