"""`sandbox-kernel install`: kernelspecs with policies of their own."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.cli.conftest import Run


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    return tmp_path / "jupyter" / "kernels"


def test_policy_in_the_kernelspec(sandbox_kernel: Run, kernels: Path) -> None:
    """What was given, and only that, stands in the kernelspec."""
    done = sandbox_kernel(
        *("install", "--name", "Big", "--display-name", "Python (8 GiB)"),
        *("--memory", "8g", "--mount", "/srv:ro", "--mount", "/opt"),
    )
    assert done.returncode == 0, done.stderr
    spec = json.loads((kernels / "big" / "kernel.json").read_text())
    assert spec["display_name"] == "Python (8 GiB)"
    assert spec["argv"][1:5] == ["-E", "-P", "-m", "sandbox_provisioner"]
    assert spec["metadata"]["kernel_provisioner"] == {
        "provisioner_name": "sandbox-provisioner",
        "config": {"memory": "8g", "mounts": ["/srv:ro", "/opt"]},
    }
    assert (kernels / "big" / "logo-64x64.png").exists()
    assert os.listdir(kernels) == ["big"]


def test_installed_kernel_works(sandbox_kernel: Run, kernels: Path, notebook: Callable[..., Path]) -> None:
    """An installed kernel runs with its policy."""
    assert sandbox_kernel("install", "--name", "three", "--pids", "99").returncode == 0
    show = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    assert sandbox_kernel("install", "--name", "few", "--files", "321").returncode == 0
    assert sandbox_kernel("run", notebook("a.ipynb", show), "-k", "few").returncode == 0
    cells = nbformat.read("a-executed.ipynb", as_version=4).cells
    assert cells[0].outputs[0].text == "321\n"


def test_a_kernel_that_cannot_start_yet(sandbox_kernel: Run, kernels: Path) -> None:
    """It is installed, and what is missing is said: an image may be built later."""
    done = sandbox_kernel("install", "--name", "boxed", "--engine", "docker")
    assert done.returncode == 0
    assert "it will not start yet" in done.stderr
    assert os.listdir(kernels) == ["boxed"]


def test_no_overwriting(sandbox_kernel: Run, kernels: Path) -> None:
    """An existing kernel is replaced only with --replace."""
    assert sandbox_kernel("install", "--name", "x", "--memory", "1g").returncode == 0
    done = sandbox_kernel("install", "--name", "x", "--memory", "2g")
    assert done.returncode == 2
    assert "--replace" in done.stderr
    assert '"1g"' in (kernels / "x" / "kernel.json").read_text()
    assert sandbox_kernel("install", "--name", "x", "--memory", "2g", "--replace").returncode == 0
    assert '"2g"' in (kernels / "x" / "kernel.json").read_text()
    assert os.listdir(kernels) == ["x"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--memory", "lots"],
        ["--name", "../escape"],
        ["--name", ""],
        ["--user", "--prefix", "/tmp"],
        ["--prefix", "/proc/nowhere"],
    ],
)
def test_refusals(sandbox_kernel: Run, kernels: Path, arguments: list[str]) -> None:
    """What is not understood installs nothing."""
    done = sandbox_kernel("install", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("sandbox-kernel: ")
    assert not kernels.exists() or not os.listdir(kernels)


def test_a_kernel_that_another_one_hides(
    sandbox_kernel: Run, kernels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a virtual environment its own kernels come first: a wall that nobody gets is not installed."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    done = sandbox_kernel("install", "--memory", "3g")
    assert done.returncode == 2
    assert "would never be used" in done.stderr
    assert "--sys-prefix" in done.stderr
    assert not kernels.exists()


def test_prefix(sandbox_kernel: Run, tmp_path: Path) -> None:
    """--prefix installs where that prefix's programs look."""
    assert sandbox_kernel("install", "--prefix", tmp_path / "there").returncode == 0
    assert (tmp_path / "there/share/jupyter/kernels/sandboxed-python/kernel.json").exists()
