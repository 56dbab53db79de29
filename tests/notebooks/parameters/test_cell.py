"""Where parameters go in a notebook, and what is said of them."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.parameters import parameterize


def notebook(*tags: str) -> NotebookNode:
    cells = [new_code_cell(f"alpha = {number}", metadata={"tags": [tag]}) for number, tag in enumerate(tags)]
    return new_notebook(cells=[new_markdown_cell("# Title"), *cells])


def tags(nb: NotebookNode) -> list[str]:
    return [(cell.metadata.get("tags") or [cell.cell_type])[0] for cell in nb.cells]


def test_after_the_defaults() -> None:
    """The cell comes after the first one tagged `parameters`."""
    nb = notebook("first", "parameters", "parameters")
    assert parameterize(nb, {"alpha": 0.5}) == []
    assert tags(nb) == ["markdown", "first", "parameters", "injected-parameters", "parameters"]
    assert nb.cells[3].source == "# Parameters\nalpha = 0.5\n"
    assert nb.cells[3].id


def test_replaced() -> None:
    """The next run's parameters replace the cell, wherever it stands."""
    nb = notebook("parameters", "x")
    parameterize(nb, {"alpha": 1})
    nb.cells.append(nb.cells.pop(2))
    parameterize(nb, {"alpha": 2})
    assert tags(nb) == ["markdown", "parameters", "x", "injected-parameters"]
    assert nb.cells[3].source.endswith("alpha = 2\n")


def test_without_defaults() -> None:
    """Where no cell is tagged, it is the first, and that is said once."""
    nb = notebook("x")
    [warning] = parameterize(nb, {"alpha": 1, "beta": 2})
    assert tags(nb) == ["injected-parameters", "markdown", "x"]
    assert "no cell is tagged 'parameters'" in warning


def test_unknown_names() -> None:
    """A parameter that the notebook does not set is probably misspelt."""
    [warning] = parameterize(notebook("parameters"), {"alpha": 1, "alhpa": 1})
    assert warning == "the notebook's parameters cell does not set 'alhpa'; it sets alpha."


def test_none() -> None:
    """Without parameters the notebook is as it was."""
    nb = notebook("parameters")
    assert parameterize(nb, {}) == []
    assert tags(nb) == ["markdown", "parameters"]


def test_refused() -> None:
    """A notebook whose parameters are refused is as it was."""
    nb = notebook("parameters")
    with pytest.raises(NotebookError):
        parameterize(nb, {"alpha": object()}, report=True)
    assert nb == notebook("parameters") | {"cells": nb.cells}
    assert tags(nb) == ["markdown", "parameters"]


def test_report() -> None:
    """In a report all code is hidden, and what else JupyterLab has noted stays."""
    nb = notebook("parameters", "x")
    nb.cells[1].metadata["jupyter"] = {"outputs_hidden": True}
    nb.cells[2].metadata["jupyter"] = "anything"
    parameterize(nb, {"alpha": 1}, report=True)
    hidden = [cell.metadata.get("jupyter", {}).get("source_hidden") for cell in nb.cells]
    assert hidden == [None, True, True, True]
    assert nb.cells[1].metadata.jupyter.outputs_hidden


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ("password", True),
        ("DB_PASSWD", True),
        ("github_token", True),
        ("token", True),
        ("api_key", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("key", True),
        ("credentials", True),
        ("sort_key", False),
        ("max_tokens", False),
        ("tokenizer", False),
        ("keyboard", False),
        ("secretary", False),
    ],
)
def test_secrets(name: str, *, warned: bool) -> None:
    """A text under a secret's name is warned of once, with the option to use; a number is none."""
    nb = notebook("parameters")
    nb.cells[1].source = f"{name} = 1"
    found = parameterize(nb, {name: "hunter2"})
    assert bool(found) is warned
    if warned:
        assert f"--secret {name}" in found[0]
        assert "hunter2" not in found[0]
    assert parameterize(nb, {name: 7}) == []
