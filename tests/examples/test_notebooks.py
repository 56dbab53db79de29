"""The example notebooks: saved clean, and each does what it promises."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import pytest

EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples", "notebooks").glob("*.ipynb"))
PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
SECONDS = "60"  # each takes less than 20 on an idle machine


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], nbformat.NotebookNode]:
    """Runs an example in a sandbox, once, and returns what was saved."""
    directory = tmp_path_factory.mktemp("executed")

    @cache
    def execute(path: Path) -> nbformat.NotebookNode:
        command = [PROGRAM, "run", path, directory, "--timeout", SECONDS]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return nbformat.read(directory / path.name, as_version=4)

    return execute


def pictures(nb: nbformat.NotebookNode) -> int:
    return sum(
        "image/png" in output.get("data", {}) for cell in nb.cells for output in cell.get("outputs", [])
    )


def test_there_are_examples() -> None:
    """There is an analysis, widgets, a long computation and attempts to escape."""
    assert {"analysis", "widgets", "progress", "escape"} <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_saved_clean(path: Path) -> None:
    """An example is valid, has no outputs, and names the sandboxed kernel."""
    content = json.loads(path.read_text())
    nbformat.validate(content)
    assert content["metadata"]["kernelspec"]["name"] == "sandboxed-python"
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]
    assert content["cells"][0]["cell_type"] == "markdown"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs(path: Path, executed: Callable[[Path], nbformat.NotebookNode]) -> None:
    """An example runs to its end in a sandbox, with its plots."""
    nb = executed(path)
    assert nb.metadata.sandbox_kernel.outcome == "ok"
    assert pictures(nb) >= {"analysis": 3, "progress": 2}.get(path.stem, 0)
    if path.stem == "widgets":
        assert len(nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) > 10


def test_escape_tries(executed: Callable[[Path], nbformat.NotebookNode]) -> None:
    """The escape notebook makes at least twenty attempts, and shows each with its outcome."""
    nb = executed(next(path for path in EXAMPLES if path.stem == "escape"))
    table = next(
        output.data["text/markdown"]
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    )
    rows = table.splitlines()[2:]
    assert len(rows) >= 20
    assert all(row.startswith("| refused |") for row in rows)


def test_escape_refuses_to_flood_a_host(tmp_path: Path) -> None:
    """Outside a sandbox the escape notebook stops before its first attempt."""
    escape = next(path for path in EXAMPLES if path.stem == "escape")
    copy = Path(shutil.copy(escape, tmp_path))
    nb = nbformat.read(copy, as_version=4)
    first = next(cell for cell in nb.cells if cell.cell_type == "code")
    assert os.uname().nodename != "sandbox"
    done = subprocess.run(
        [sys.executable, "-c", first.source], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "runs in a sandbox only" in done.stderr


def test_escape_notices_a_success(tmp_path: Path) -> None:
    """The escape notebook fails when an attempt succeeds: its success is worth something."""
    escape = next(path for path in EXAMPLES if path.stem == "escape")
    nb = nbformat.read(escape, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    code[1].source = '@attempt("do nothing forbidden")\ndef harmless():\n    return 1'
    nb.cells = [code[0], code[1], code[-1]]
    nbformat.write(nb, tmp_path / "weak.ipynb")
    done = subprocess.run(
        [PROGRAM, "run", "-q", tmp_path / "weak.ipynb"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "This sandbox leaks: ['do nothing forbidden']" in done.stderr
