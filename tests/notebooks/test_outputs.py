"""Outputs as they are saved."""

import time
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from sandbox_kernel.notebooks import read_notebook, write_notebook
from sandbox_kernel.notebooks.document import for_saving
from sandbox_kernel.notebooks.outputs import MAX_DEPTH, overwritten, presentable
from tests.notebooks.runs import notebook


def stream(text: str, name: str = "stdout"):
    return new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\n", "plain\n"),
        ("10%\r20%\r30%\n", "30%\n"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("a\n1\r2\nb", "a\n2\nb"),
        ("50%\r", "50%\r"),
        ("50%\r60%\r", "60%\r"),
        ("", ""),
    ],
)
def test_overwritten(written: str, shown: str) -> None:
    """Of a line with carriage returns, what was written last is kept."""
    assert overwritten(written) == shown


def test_neighbours_are_joined() -> None:
    """Pieces of one stream become one output, whatever lies between stays between."""
    picture = new_output("display_data", data={"text/plain": "picture"})
    pieces = [stream("1"), stream("2"), stream("err", "stderr"), picture, stream("3")]
    joined = presentable(pieces)
    assert [output.get("text") for output in joined] == ["12", "err", None, "3"]


def test_progress_over_many_pieces() -> None:
    """A progress bar that arrives in pieces leaves one line."""
    assert presentable([stream(f"\r{n}%") for n in range(101)])[0].text == "100%"


def test_linear_time() -> None:
    """A flood of carriage returns and small pieces takes no more than its share of time."""
    began = time.monotonic()
    presentable([stream("a\r" * 500 + "b\n")] * 2_000)
    presentable([stream("\r" * 2_000_000 + "x")])
    assert time.monotonic() - began < 5


def nested(levels: int) -> dict:
    value: dict = {}
    for _ in range(levels):
        value = {"deeper": value}
    return {"application/json": value}


@pytest.mark.parametrize("data", [nested(2_000), nested(100_000), {"text/plain": {1, 2}}])
def test_what_cannot_be_saved_is_replaced(data: dict, tmp_path: Path) -> None:
    """An output that would break the saving is replaced by a notice instead of losing the notebook."""
    nb = notebook("1")
    dict.__setitem__(nb.cells[0], "outputs", [dict_output(data), stream("fine")])
    with pytest.raises((RecursionError, TypeError)):
        write_notebook(nb, tmp_path / "broken.ipynb")
    write_notebook(for_saving(nb), tmp_path / "out.ipynb")
    dropped, kept = read_notebook(tmp_path / "out.ipynb").cells[0].outputs
    assert (dropped.ename, kept.text) == ("OutputDropped", "fine")


def test_deep_outputs_that_can_be_saved(tmp_path: Path) -> None:
    """Outputs below the limit of depth are saved as they are."""
    nb = notebook("1")
    dict.__setitem__(nb.cells[0], "outputs", [dict_output(nested(MAX_DEPTH - 4))])
    write_notebook(for_saving(nb), tmp_path / "out.ipynb")
    assert read_notebook(tmp_path / "out.ipynb").cells[0].outputs[0].data == nested(MAX_DEPTH - 4)


def dict_output(data: dict) -> NotebookNode:
    """Return an output that holds the data as it came, unconverted."""
    output = new_output("display_data")
    dict.__setitem__(output, "data", data)
    return output
