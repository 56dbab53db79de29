"""How many small notebooks run in a second, two at a time.

Two processes run one notebook after the other, with the tool of each side: papermill on plain kernels,
`run_notebook` on sandboxed ones. Both tools are imported, and have run a notebook, before the clock
starts; that a new process for each notebook is what most people use is not held against papermill.

Each process is `python -m sandbox_kernel.bench.batch TOOL KERNEL COUNT`.
"""

import asyncio
import importlib.util
import json
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from sandbox_kernel.bench.cells import Samples
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

AT_A_TIME: Final = 2

SOURCES: Final = (
    "import json, math",
    "values = [math.sqrt(n) for n in range(10_000)]\nlen(values)",
    "print(json.dumps({'sum': sum(values)}))",
)
"""A small notebook: what is measured is what stands around it."""

_READY: Final = "ready\n"
_DONE: Final = "done\n"


def batch(subject: Subject, notebooks: int) -> Samples:
    """Notebooks per second."""
    tool = "run" if subject.sandboxed else "papermill"
    if importlib.util.find_spec(tool if tool != "run" else "nbclient") is None:
        raise UnmeasuredError(f"{tool} is not installed here")
    each = max(1, notebooks // AT_A_TIME)
    command = [sys.executable, "-m", "sandbox_kernel.bench.batch", tool, subject.kernel, str(each)]
    runners = [_Runner(command) for _ in range(AT_A_TIME)]
    try:
        for runner in runners:
            runner.expect(_READY)
        begun = perf_counter()
        for runner in runners:
            runner.go()
        for runner in runners:
            runner.expect(_DONE)
        return {"batch": [AT_A_TIME * each / (perf_counter() - begun)]}
    finally:
        for runner in runners:
            runner.close()


class _Runner:
    """One of the processes, from the measuring side."""

    def __init__(self, command: list[str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, text=True)

    def expect(self, word: str) -> None:
        """Return when it says this word."""
        assert self._process.stdout  # noqa: S101 - for mypy
        if self._process.stdout.readline() != word:
            self._log.seek(0)
            words = self._log.read().decode(errors="replace").strip().splitlines()
            raise UnmeasuredError(f"a notebook failed: {words[-1] if words else 'without a word'}")

    def go(self) -> None:
        """Have it begin."""
        assert self._process.stdin  # noqa: S101 - for mypy
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.terminate()
        self._log.close()


def _with_papermill(kernel: str) -> Callable[[Path], None]:
    execute = importlib.import_module("papermill").execute_notebook
    logging.getLogger("papermill").setLevel(logging.ERROR)

    def run(notebook: Path) -> None:
        done = notebook.with_name(f"done-{notebook.name}")
        execute(str(notebook), str(done), kernel_name=kernel, progress_bar=False)

    return run


def _with_run(kernel: str) -> Callable[[Path], None]:
    tool = importlib.import_module("sandbox_kernel.notebooks")  # here: the measuring side does without
    options = tool.RunOptions(kernel=kernel)

    def run(notebook: Path) -> None:
        target = notebook.with_name(f"done-{notebook.name}")
        result = asyncio.run(tool.run_notebook(tool.read_notebook(notebook), target, options))
        if result.outcome is not tool.Outcome.OK:
            raise UnmeasuredError(result.sentence)

    return run


def small_notebook(kernel: str) -> dict[str, Any]:
    """Return a notebook of three cells that names a kernel."""
    code: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**code, "id": f"cell-{number}", "source": source} for number, source in enumerate(SOURCES)]
    spec = {"name": kernel, "language": "python", "display_name": kernel}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def main() -> None:
    """Run one notebook, say that all is ready, wait for the word, run so many, and say so."""
    tool, kernel, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    warnings.simplefilter("ignore")
    run = {"papermill": _with_papermill, "run": _with_run}[tool](kernel)
    with tempfile.TemporaryDirectory(prefix="notebooks-", dir=Path.cwd()) as directory:
        notebook = Path(directory) / "small.ipynb"
        notebook.write_text(json.dumps(small_notebook(kernel)), encoding="utf-8")
        run(notebook)
        sys.stdout.write(_READY)
        sys.stdout.flush()
        if sys.stdin.readline():
            for _ in range(count):
                run(notebook)
            sys.stdout.write(_DONE)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
