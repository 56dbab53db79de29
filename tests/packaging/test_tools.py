"""The tools that people already use run the example notebooks sandboxed."""

import os
import shutil
from pathlib import Path

import nbformat
import nbformat.v4
import pytest

from tests.installed import do

pytestmark = pytest.mark.timeout(300)
LONG, SHORT = "= 64, 700, 300", "= 64, 70, 30"
"""How much the notebook of a long computation computes; all of it runs in `tests/examples`, once."""
BEHIND = "import platform\nassert platform.node() == 'sandbox'"


@pytest.fixture
def notebooks(repository: Path, tmp_path: Path) -> Path:
    """A copy of the examples, and one more that fails outside of a sandbox."""
    copy = tmp_path / "notebooks"
    shutil.copytree(repository / "examples" / "notebooks", copy)
    where = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BEHIND)])
    nbformat.write(where, copy / "where.ipynb")
    progress = (copy / "progress.ipynb").read_text()
    assert progress.count(LONG) == 1
    (copy / "progress.ipynb").write_text(progress.replace(LONG, SHORT))
    return copy


def check(executed: Path) -> None:
    """Every cell ran, none failed, and the analysis has its plots."""
    notebook = nbformat.read(executed, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    outputs = [output for cell in cells for output in cell.outputs]
    assert all(cell.execution_count for cell in cells)
    assert not [output for output in outputs if output.output_type == "error"]
    if executed.name.startswith("analysis"):
        assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


def test_papermill(installed: Path, notebooks: Path, tmp_path: Path) -> None:
    """papermill -k sandboxed-python runs every example."""
    for notebook in sorted(notebooks.glob("*.ipynb")):
        out = tmp_path / notebook.name
        do(installed.parent / "papermill", notebook, out, "-k", "sandboxed-python", "--cwd", notebooks)
        check(out)


def test_jupyter_execute(installed: Path, notebooks: Path) -> None:
    """Jupyter execute --kernel_name=sandboxed-python runs every example."""
    every = sorted(notebooks.glob("*.ipynb"))
    do(installed.parent / "jupyter", "execute", "--inplace", "--kernel_name=sandboxed-python", *every)
    for notebook in every:
        check(notebook)


def test_nbconvert(installed: Path, notebooks: Path, tmp_path: Path) -> None:
    """Jupyter nbconvert --execute runs every example."""
    every = sorted(notebooks.glob("*.ipynb"))
    kernel = "--ExecutePreprocessor.kernel_name=sandboxed-python"
    out = tmp_path / "out"
    do(
        installed.parent / "jupyter",
        "nbconvert",
        "--to=notebook",
        "--execute",
        kernel,
        f"--output-dir={out}",
        *every,
    )
    for notebook in every:
        check(out / notebook.name)


def test_exec(installed: Path, notebooks: Path, tmp_path: Path) -> None:
    """Under `sandbox-kernel exec` a plain python3 kernel is sandboxed as well."""
    out = tmp_path / "where.ipynb"
    papermill = (installed.parent / "papermill", notebooks / "where.ipynb", out, "-k", "python3")
    do(installed.parent / "sandbox-kernel", "exec", "--memory", "512m", "--", *papermill)
    check(out)


def test_exec_is_what_sandboxes(installed: Path, notebooks: Path, tmp_path: Path) -> None:
    """Without `sandbox-kernel exec` the same command runs on the host: the test above can fail."""
    papermill = (installed.parent / "papermill", notebooks / "where.ipynb", tmp_path / "where.ipynb")
    with pytest.raises(AssertionError, match="platform"):
        do(*papermill, "-k", "python3")
    assert os.uname().nodename != "sandbox"
