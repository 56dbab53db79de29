"""What people wait for who start a program: from the command line to its exit, imports and all.

A notebook is run by `jupyter execute` on a plain kernel, by `sandbox-kernel run` on a sandboxed one. And
what starts the kernel is loaded as jupyter_client loads it, by its name: a first kernel waits for that.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from sandbox_kernel.bench.batch import small_notebook
from sandbox_kernel.bench.cells import Samples
from sandbox_kernel.bench.kernel import PATIENCE
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

_LOAD: Final = """
import sys
from importlib.metadata import entry_points
entry_points(group="jupyter_client.kernel_provisioners")[sys.argv[1]].load()
"""


def programs(subject: Subject, times: int) -> Samples:
    """Milliseconds to run one small notebook, and to load what starts its kernel, each in a new process."""
    with tempfile.TemporaryDirectory(prefix="notebooks-", dir=Path.cwd()) as directory:
        source = Path(directory, "small.ipynb")
        source.write_text(json.dumps(small_notebook(subject.kernel)), encoding="utf-8")
        run, load = _run(subject, source), [sys.executable, "-c", _LOAD, str(subject.provisioner)]
        return {"run": [_took(run) for _ in range(times)], "load": [_took(load) for _ in range(times)]}


def _run(subject: Subject, source: Path) -> list[str]:
    """Return the command that runs a notebook, each side's own."""
    target = source.with_name("done.ipynb")
    if subject.sandboxed:
        options = ["run", str(source), "--quiet", f"--kernel={subject.kernel}", f"--output={target}"]
        return [_program("sandbox-kernel"), *options]
    return [_program("jupyter-execute"), str(source), f"--kernel_name={subject.kernel}", f"--output={target}"]


def _program(name: str) -> str:
    """Return a program's path, beside the interpreter.

    :raises UnmeasuredError: it is not there.
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise UnmeasuredError(f"{path} is not there")
    return str(path)


def _took(command: Sequence[str]) -> float:
    """Return the milliseconds that a program takes.

    :raises UnmeasuredError: it fails, or takes longer than anybody waits.
    """
    begun = perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise UnmeasuredError(f"{Path(command[0]).name} took more than {PATIENCE:g} s") from None
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise UnmeasuredError(f"{Path(command[0]).name} failed: {words[-1] if words else 'without a word'}")
    return (perf_counter() - begun) * 1000
