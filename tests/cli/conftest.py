"""The command line as a program, with a home of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
Run = Callable[..., subprocess.CompletedProcess[str]]


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


@pytest.fixture
def notebook() -> Callable[..., Path]:
    """Writes a notebook into the current directory."""

    def write(name: str, *sources: str) -> Path:
        path = Path.cwd() / name
        nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
        return path

    return write
