"""`sandbox-kernel run --artifacts`: files that a notebook's code leaves."""

import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_run import Notebook, outcome

LEAVES = "import os, pathlib\npathlib.Path(os.environ['SANDBOX_ARTIFACTS'], 'a.txt').write_text('kept')"


@pytest.mark.parametrize("place", ["out", "out.zip"])
def test_artifacts(sandbox_kernel: Run, notebook: Notebook, place: str) -> None:
    """What the code leaves in $SANDBOX_ARTIFACTS goes to --artifacts; also when a later cell fails."""
    done = sandbox_kernel("run", "-q", notebook("a.ipynb", LEAVES, "1 / 0"), "--artifacts", place)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"1 artifact, 4 bytes → {place}"
    assert outcome(Path("a-executed.ipynb"))["artifacts"][0]["name"] == "a.txt"
    if place == "out":
        assert Path("out/a.txt").read_text() == "kept"
    else:
        assert zipfile.ZipFile(place).read("a.txt") == b"kept"


def test_artifacts_out_of_reach(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A kernel that has died takes them along, which is said; a place that cannot be is refused first."""
    source = notebook("a.ipynb", LEAVES, "os._exit(1)")
    done = sandbox_kernel("run", "-q", source, "--artifacts", "out")
    assert done.returncode == 138
    assert "warning: The artifacts were not collected: the sandbox that held them is gone." in done.stderr
    done = sandbox_kernel("run", source, "--artifacts", "missing/out")
    assert (done.returncode, "cannot put artifacts into missing/out" in done.stderr) == (2, True)
