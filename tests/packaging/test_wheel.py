"""What users install: complete, and nothing but the product."""

import json
import re
import sys
import zipfile
from pathlib import Path

import nbformat.v4
import pytest

from tests.installed import do

KERNELSPEC = "data/share/jupyter/kernels/sandboxed-python"


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {re.sub(r"^[^/]+\.data/data/", "data/", name) for name in archive.namelist()}


@pytest.mark.parametrize(
    "name",
    [
        "sandbox_kernel/py.typed",
        "sandbox_provisioner/py.typed",
        "sandbox_provisioner/__main__.py",
        "sandbox_kernel/guest/__main__.py",
        f"{KERNELSPEC}/kernel.json",
        f"{KERNELSPEC}/logo-32x32.png",
        f"{KERNELSPEC}/logo-64x64.png",
        f"{KERNELSPEC}/logo-svg.svg",
    ],
)
def test_contents(names: set[str], name: str) -> None:
    """The wheel carries what is not Python code, too."""
    assert name in names


def test_filters(names: set[str], repository: Path) -> None:
    """Every compiled system call filter of the checkout is in the wheel."""
    compiled = {str(path.relative_to(repository)) for path in (repository / "sandbox_kernel").rglob("*.bpf")}
    assert len(compiled) >= 2
    assert compiled <= names


def test_nothing_else(names: set[str]) -> None:
    """The wheel holds the two packages, the kernelspec and its own description."""
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {
        "sandbox_kernel",
        "sandbox_provisioner",
        "data",
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.mark.timeout(300)
def test_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, the package brings all that it needs to list its kernel and to run a notebook."""
    do(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    bin_ = tmp_path / "venv" / "bin"
    do(sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "--quiet", wheel)
    specs = json.loads(do(bin_ / "jupyter", "kernelspec", "list", "--json"))["kernelspecs"]
    assert specs["sandboxed-python"]["spec"]["display_name"] == "Sandboxed Python"
    cell = nbformat.v4.new_code_cell("import platform; print('hello from', platform.node())")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "hello.ipynb")
    do(bin_ / "sandbox-kernel", "run", tmp_path / "hello.ipynb", tmp_path / "out.ipynb")
    assert "hello from sandbox" in (tmp_path / "out.ipynb").read_text()
    assert "sandbox" in do(bin_ / "jupyter", "sandbox", "--help")
