"""`sandbox-kernel ps` and `stop`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat

from tests.cli.conftest import Run

BUSY = "import time\nprint('busy', flush=True)\ntime.sleep(60)"


def test_ps_and_stop(
    sandbox_kernel: Run, started: Callable[..., subprocess.Popen[str]], notebook: Callable[..., Path]
) -> None:
    """A running sandbox is listed; stopped, its run ends as cancelled and says why."""
    program = started("run", "--log-output", notebook("a.ipynb", BUSY))
    assert program.stdout
    assert program.stdout.readline() == "busy\n"
    listed = json.loads(sandbox_kernel("ps", "--json").stdout)
    [mine] = [entry for entry in listed if entry["directory"] == str(Path.cwd())]
    assert mine["engine"] == "bubblewrap"
    assert mine["id"] in sandbox_kernel("ps").stdout
    stopped = sandbox_kernel("stop", mine["id"])
    assert stopped.returncode == 0
    assert mine["id"] in stopped.stdout
    program.communicate(timeout=30)
    assert program.returncode == 130
    metadata = nbformat.read("a-executed.ipynb", as_version=4).metadata.sandbox_kernel
    assert "sandbox-kernel stop" in metadata.message
    assert metadata.provenance.session == mine["id"]
    assert mine["id"] in sandbox_kernel("audit").stdout


def test_refusals(sandbox_kernel: Run) -> None:
    """An id that nobody has, and no id at all, are refused."""
    unknown = sandbox_kernel("stop", "ffffffffffff")
    assert (unknown.returncode, "no running sandbox" in unknown.stderr) == (2, True)
    assert sandbox_kernel("stop").returncode == 2
    assert sandbox_kernel("stop", "--all", "x").returncode == 2
