"""Reading and writing notebooks."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import files
from sandbox_kernel.notebooks.files import read_notebook, write_notebook
from tests.notebooks.runs import notebook

OLD = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {},
    "worksheets": [
        {
            "cells": [
                {"cell_type": "code", "input": ["1"], "outputs": [], "language": "python", "metadata": {}}
            ]
        }
    ],
}


def heading(level: object) -> bytes:
    cell = {"cell_type": "heading", "level": level, "source": "h"}
    return json.dumps(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    ).encode()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "not JSON"),
        (b"[]", "no 'nbformat'"),
        (b'{"cells": []}', "no 'nbformat'"),
        (b'{"nbformat": 99}', "not a valid notebook"),
        (b'{"nbformat": "4", "nbformat_minor": 5}', "not a valid notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}', "not a valid notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}', "not a valid notebook"),
        pytest.param(heading(1 << 40), "more than 6 levels", id="tall"),
        (heading([]), "not a valid notebook"),
        (b'{"nbformat": 1, "cells": [{"cell_type": []}]}', "not a valid notebook"),
        (b'{"nbformat": 3, "nbformat_minor": {}, "worksheets": []}', "not a valid notebook"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_not_a_notebook(tmp_path: Path, content: bytes, complaint: str) -> None:
    """What is not a notebook is refused in one line that names the file."""
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=complaint) as refusal:
        read_notebook(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("swelling", ["[],", "{},", "0,"])
def test_few_bytes_that_become_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swelling: str
) -> None:
    """Each list takes two bytes in the file and hundreds in memory; brackets in a text are text."""
    monkeypatch.setattr(files, "MAX_CONTAINERS", 1000)
    monkeypatch.setattr(files, "MAX_VALUES", 1000)
    path = tmp_path / "nb.ipynb"
    write_notebook(notebook('"' + swelling * 2000), path)
    text = path.read_text()
    assert read_notebook(path).cells[0].source == '"' + swelling * 2000
    path.write_text(text.replace('"metadata": {}', f'"metadata": {{"a": [{swelling * 1000} 0]}}', 1))
    with pytest.raises(NotebookError, match="is not read: it is made of more than 1,000 lists"):
        read_notebook(path)


def test_no_file(tmp_path: Path) -> None:
    """A missing file and a directory are named as such."""
    with pytest.raises(NotebookError, match="No such file"):
        read_notebook(tmp_path / "x.ipynb")
    with pytest.raises(NotebookError, match="directory"):
        read_notebook(tmp_path)


def test_old_formats_and_missing_ids(tmp_path: Path) -> None:
    """Old notebooks are converted; cells without an id get one, without a warning."""
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(OLD))
    assert read_notebook(path).cells[0].source == "1"
    path.write_bytes(heading(6))
    assert read_notebook(path).cells[0].source == "###### h"
    nb = notebook("1", "2")
    for cell in nb.cells:
        del cell["id"]
    path.write_text(json.dumps(nb))
    assert len({cell.id for cell in read_notebook(path).cells}) == 2


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """A written notebook is valid, also where its text has lone surrogates."""
    path = tmp_path / "x.ipynb"
    nb = notebook("1")
    nb.cells[0].outputs = [new_output("stream", text="\ud800 lone")]
    write_notebook(nb, path)
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "? lone"
    assert os.listdir(tmp_path) == ["x.ipynb"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("report.ipnyb", "report.ipynb"),
        ("reprot.ipynb", "report.ipynb"),
        ("report", "report.ipynb"),
        ("b.ipynb", None),
        ("notes.ipynb", None),
    ],
)
def test_a_near_name(tmp_path: Path, name: str, meant: str | None) -> None:
    """A misspelt name is refused with the one that was meant, where there is one."""
    for there in ("report.ipynb", "a.ipynb", "notes.txt"):
        (tmp_path / there).touch()
    with pytest.raises(NotebookError) as refusal:
        read_notebook(tmp_path / name)
    ending = f"; did you mean {tmp_path / meant}?" if meant else "."
    assert str(refusal.value) == f"cannot read {tmp_path / name}: No such file or directory{ending}"
