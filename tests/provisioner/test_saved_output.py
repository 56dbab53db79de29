"""A notebook that was executed behind the wall holds nothing that acts."""

import json
import re

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.hostile import ATTACKS, PRELUDE
from tests.provisioner.kernels import PATIENCE

FRAME = re.compile(r"srcdoc='[^']*'")
ACTS = re.compile(r"<script|\bon[a-z]+=|javascript:|<iframe src|<form|elsewhere\.invalid|_esm", re.IGNORECASE)


@pytest.mark.parametrize("mode", ["trust", "isolate", "strip"])
def test_every_attack_is_saved_harmless(jupyter, no_leftovers, mode):
    """Outputs, their metadata and the state of widgets; with trust they would all be there."""
    jupyter.spec("hostile", config={"html": mode})
    cells = [f"name = {name!r}\n{code}" for name, code in ATTACKS.items()]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in [PRELUDE, *cells]])
    NotebookClient(notebook, kernel_name="hostile", timeout=PATIENCE, allow_errors=True).execute()
    saved = [output for cell in notebook.cells for output in cell.outputs] + [notebook.metadata]
    assert all(output.get("output_type") != "error" for output in saved)
    texts = [FRAME.sub("", text) for text in strings(json.loads(json.dumps(saved)))]
    if mode == "trust":
        assert sum(ACTS.search(text) is not None for text in texts) > 30
    else:
        assert [text for text in texts if ACTS.search(text)] == []


def strings(value):
    """Yield every text in a value, names among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("_view_name") != "TextView":  # it shows text as text
        for name, item in value.items():
            yield name
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
