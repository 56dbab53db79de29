"""Notebooks for other people's programs, in a directory of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BEHIND = "import platform\nassert platform.node() == 'sandbox'"
"""Fails everywhere but in a sandbox."""
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory that nobody shares; no settings from outside."""
    for name in os.environ:
        if name.startswith("SANDBOX_KERNEL_") or name == "JUPYTER_DEFAULT_PROVISIONER_NAME":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notebook(tmp_path: Path) -> Write:
    """Writes a notebook of the usual Python kernel: code, and after `#` Markdown."""

    def write(name: str, *sources: str, kernel: str = "python3", tags: dict[int, str] | None = None) -> Path:
        cells = [new_markdown_cell(text) if text[:1] == "#" else new_code_cell(text) for text in sources]
        for index, tag in (tags or {}).items():
            cells[index].metadata["tags"] = [tag]
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), tmp_path / name)
        return tmp_path / name

    return write
