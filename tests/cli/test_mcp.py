"""`sandbox-kernel mcp` before it serves: what is wrong is one sentence, and standard output stays empty."""

import subprocess
import sys

import pytest

from sandbox_kernel.cli.mcp import MISSING
from tests.cli.conftest import Run

WITHOUT_THE_SDK = """
import sys
sys.modules["mcp"] = None
from sandbox_kernel.cli.app import run_command
sys.exit(run_command(["mcp"]))
"""


def test_without_the_sdk() -> None:
    """Who has not installed the extra is told what to type."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_SDK], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sandbox-kernel: {MISSING}\n"


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
