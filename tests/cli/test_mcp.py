"""`sandbox-kernel mcp` before it serves: what is wrong is one sentence, and standard output stays empty."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.cli.mcp import HELP, MISSING
from tests.cli.conftest import Run

WITHOUT_THE_SDK = """
import sys
sys.modules[sys.argv[1]] = None
from sandbox_kernel.cli.app import run_command
sys.exit(run_command(["mcp"]))
"""


@pytest.mark.parametrize("module", ["mcp", "anyio", "pydantic"])
def test_without_the_sdk(module: str) -> None:
    """Who has not installed the extra is told what to type, whichever part of it is missed first."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_SDK, module],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sandbox-kernel: {MISSING}\n"


def test_what_to_type_is_what_the_guide_says(repository: Path) -> None:
    """The package is on no index: its extra comes from the checkout."""
    guide = (repository / "examples/guides/mcp.md").read_text()
    [command] = re.findall(r"^pip install .+$", guide, re.MULTILINE)
    assert MISSING.endswith(f": {command}")
    assert command in HELP


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--workspace", "rw"], "--workspace says how a folder is shared, and none is; add --directory DIR."),
        (["--memory", "3x"], "--memory: '3x' is not a size"),
        (["--directory", "/nowhere"], "Directory '/nowhere' does not exist."),
        (["--engine", "docker"], "Docker does not answer at unix:///nowhere/docker.sock"),
    ],
)
def test_refusals(sandbox_kernel: Run, options: list[str], sentence: str) -> None:
    """What cannot be granted, or built here, is refused before a client is answered."""
    done = sandbox_kernel("mcp", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
