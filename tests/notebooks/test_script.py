"""Python scripts become notebooks."""

import time

import pytest

from sandbox_kernel.notebooks.script import notebook_name, parse_script

PERCENT = '''\
#!/usr/bin/env python
# ---
# jupyter:
#   kernelspec: {}
# ---

import os

# %% Set up  tags=["parameters", "x"]
alpha = 1  # %% no divider

# %% [markdown]
# # Title
#
# Text
#%%
# %%time
print(alpha)

# %% [raw]
"""
as it is
"""
# %%
'''


def test_percent_format() -> None:
    """Cells begin at `# %%`, with their tags; Markdown is uncommented; jupytext's header is no code."""
    nb = parse_script(PERCENT)
    assert [(cell.cell_type, cell.source) for cell in nb.cells] == [
        ("code", "import os"),
        ("code", "alpha = 1  # %% no divider"),
        ("markdown", "# Title\n\nText"),
        ("code", "# %%time\nprint(alpha)"),
        ("raw", "as it is"),
        ("code", ""),
    ]
    assert [cell.metadata.get("tags") for cell in nb.cells][:2] == [None, ["parameters", "x"]]
    assert nb.metadata.kernelspec.language == "python"


def test_plain_script() -> None:
    """A script without dividers is one cell, whatever it holds."""
    [cell] = parse_script("x = 1\r\n\r\nif x:\r\n    print(x)\r\n").cells
    assert cell.source == "x = 1\n\nif x:\n    print(x)"
    assert parse_script("").cells == []


@pytest.mark.parametrize(
    "tags", ["tags=[1, 2", 'tags={"a": 1}', "tags=[" + '"x", ' * 300 + "]", 'tags=["a,b", 1]']
)
def test_odd_tags(tags: str) -> None:
    """What are no tags is part of the title."""
    [cell] = parse_script(f"# %% {tags}\n1").cells
    assert "tags" not in cell.metadata


def test_names() -> None:
    """The notebook of a script has a notebook's name."""
    assert notebook_name("a.py") == "a.ipynb"
    assert notebook_name("a.ipynb") == "a.ipynb"


def test_linear_time() -> None:
    """A long line takes no time that grows with its square: nobody would bound it, out here."""
    text = "#" + "coding" * 100_000
    began = time.process_time()
    assert parse_script(text).cells[0].source == text
    assert time.process_time() - began < 10
