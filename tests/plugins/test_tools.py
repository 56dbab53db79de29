"""The guide to other people's tools: each line of its table does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.conftest import BEHIND, Write

GUIDE = Path(__file__).parents[2] / "examples" / "guides" / "tools.md"
COMMANDS = dict(re.findall(r"^\| (.+?) \| `(.+)` \|$", GUIDE.read_text(), re.MULTILINE))
BOOK = """
from testbook import testbook

@testbook("analysis.ipynb", execute=True)
def test_analysis(tb):
    assert tb.ref("double")(21) == 42
"""
SCRIPT = f"""
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
reply = client.execute_interactive({BEHIND!r}, timeout=60)
client.stop_channels()
manager.shutdown_kernel(now=True)
assert reply["content"]["status"] == "ok"
"""
FAILING = ["nbconvert", "Quarto"]
"""What has no tests elsewhere of how it fails: all others do, in this directory and in `packaging`."""


@pytest.fixture
def run(tmp_path: Path):
    """Runs a command of the guide beside what it names; returns its exit code and what it said."""
    programs = tmp_path / "bin"
    programs.mkdir()
    quarto = Path(__file__).with_name("starts_kernels.py")
    (programs / "quarto").write_text(f'#!/bin/sh\nexec {sys.executable} {quarto} "$@"\n')
    (programs / "quarto").chmod(0o755)
    (tmp_path / "test_analysis.py").write_text(BOOK)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run_command(command: str) -> tuple[int, str]:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=100,
        )
        return done.returncode, done.stdout

    return run_command


def test_every_tool_is_there() -> None:
    """The table has the tools that are promised."""
    assert {*FAILING, "papermill", "nbmake", "nbval", "testbook", "`jupyter execute`"} <= COMMANDS.keys()


@pytest.mark.parametrize("tool", COMMANDS)
def test_sandboxed(run, notebook: Write, tool: str) -> None:
    """The line runs a notebook sandboxed."""
    notebook("analysis.ipynb", BEHIND, "def double(x): return 2 * x")
    code, said = run(COMMANDS[tool])
    assert code == 0, said


@pytest.mark.parametrize("tool", FAILING)
def test_failing(run, notebook: Write, tool: str) -> None:
    """A cell that fails in the sandbox fails the tool."""
    notebook("analysis.ipynb", BEHIND, "raise ValueError('on purpose')")
    code, said = run(COMMANDS[tool])
    assert code != 0
    assert "on purpose" in said
    assert "AssertionError" not in said
