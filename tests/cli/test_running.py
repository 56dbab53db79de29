"""`sandbox-kernel ps` and `stop`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from sandbox_kernel.cli.ps import shortened, starter
from sandbox_kernel.host import registry
from sandbox_kernel.host.front import Front
from tests.cli.conftest import PROGRAM, Run, on_terminal

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
    [line] = [line for line in sandbox_kernel("ps").stdout.splitlines() if mine["id"] in line]
    assert f"  a.ipynb ({program.pid})  " in line
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


@pytest.mark.parametrize(
    ("directory", "room", "shown"),
    [
        ("/srv/course", 20, "/srv/course"),
        ("/home/me/course/week 12/mine", 40, "/home/me/course/week 12/mine"),
        ("/home/me/course/week 12/mine", 26, "~/course/week 12/mine"),
        ("/home/me/course/week 12/mine", 20, "~/…/week 12/mine"),
        ("/home/me/course/week 12/mine", 15, "…/week 12/mine"),
        ("/home/me/course/week 12/mine", 8, "~/…/mine"),
        ("/home/me/course/week 12/mine", 6, "…/mine"),
        ("/home/me", 3, "~"),
        ("/home/meander/course/a", 20, "/home/…/course/a"),
        ("/srv/a-name-without-any-end", 10, "…t-any-end"),
        ("/", 1, "/"),
    ],
)
def test_directories_are_shortened(directory: str, room: int, shown: str) -> None:
    """A path that does not fit loses its middle, then its beginning; its end is what tells folders apart."""
    assert len(shown) <= room
    assert shortened(directory, room, "/home/me") == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["/venv/bin/python", "/venv/bin/sandbox-kernel", "run", "/srv/a.ipynb"], "a.ipynb"),
        (["/venv/bin/python3.12", "-m", "jupyter", "lab", "--token=SECRET"], "jupyter"),
        (["/venv/bin/python", "-c", "import x; x.run('SECRET.py')"], "python"),
        (["/venv/bin/python", "-X", "dev", "grade.py"], "python"),
        (["/usr/bin/papermill", "-p", "token", "SECRET", "in.ipynb", "out.ipynb"], "in.ipynb"),
        (["python", "work.py"], "work.py"),
        (["jupyter-lab", "--notebook=SECRET.ipynb"], "jupyter-lab"),
        (["x" * 30], "x" * 19 + "…"),
        (["/"], "?"),
        ([], "?"),
    ],
)
def test_what_started_it(words: list[str], shown: str) -> None:
    """A sandbox is known by the notebook that is run in it, or by the program; nobody's token is told."""
    assert starter(words) == shown


def test_no_home() -> None:
    """Somebody whose home is the root directory, or nowhere, has no ~ in every path."""
    for home in ("/", "~", ""):
        assert shortened("/srv/course/week 12", 15, home) == "/srv/…/week 12"


def test_directories_in_files_and_on_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file or pipe a directory is whole; on a terminal no line is longer than that is wide."""
    long = tmp_path / ("long " * 20) / "mine"
    long.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    front = Front.create()
    registry.enter(
        front.directory, name="0123456789ab", pid=os.getpid(), engine="x", memory=1, directory=long
    )
    environment = {**os.environ, "COLUMNS": "90"}
    whole = subprocess.run([PROGRAM, "ps"], capture_output=True, text=True, check=True, env=environment)
    [line] = [line for line in whole.stdout.splitlines() if line.startswith("0123456789ab")]
    assert line.endswith(str(long))
    [short] = [line for line in on_terminal("ps", columns=90).splitlines() if "0123456789ab" in line]
    assert len(short) <= 90
    assert short.endswith("…/mine")
    front.close()
