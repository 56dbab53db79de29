"""Parameters in a notebook: one cell of assignments, where papermill puts it.

It comes after the first cell tagged `parameters`, or first of all, and is tagged
`injected-parameters`; the next run replaces it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, upgrade

from sandbox_kernel.notebooks.parameters.inferred import inferred
from sandbox_kernel.notebooks.parameters.literals import assignments

DEFAULTS_TAG: Final = "parameters"
"""papermill's name for the cell that gives parameters their defaults."""
INJECTED_TAG: Final = "injected-parameters"
"""papermill's name for the cell that a run has put in."""
_HEADING: Final = "# Parameters\n"
_SECRET: Final = re.compile(
    r"key|(?:.*_)?(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?"
    r"|(?:api|access|account|auth|encryption|private|secret|signing|ssh)_?key)",
    re.IGNORECASE,
)
"""Names that end as secrets' do; `sort_key` and `max_tokens` are none."""


def parameterize(nb: NotebookNode, parameters: Mapping[str, object], *, report: bool = False) -> list[str]:
    """Put the parameters into the notebook, in place; hide all code if it is to be a report.

    Return sentences on what is probably not meant. Without parameters no cell is put in, and one
    that an earlier run has put in stays.

    :raises NotebookError: a name or a value cannot be written; the notebook is as it was.
    """
    warnings = []
    if parameters:
        source = _HEADING + assignments(parameters)
        warnings = [*_unknown(nb, parameters), *_secrets(parameters)]
        _inject(nb, source)
    if report:
        hide_code(nb)
    return warnings


def _inject(nb: NotebookNode, source: str) -> None:
    upgrade(nb)  # type: ignore[no-untyped-call]  # older formats give cells no ids
    cell = new_code_cell(source, metadata={"tags": [INJECTED_TAG]})  # type: ignore[no-untyped-call]
    earlier, defaults = tagged(nb, INJECTED_TAG), tagged(nb, DEFAULTS_TAG)
    if earlier is not None:
        nb.cells[earlier] = cell
    else:
        nb.cells.insert(0 if defaults is None else defaults + 1, cell)


def hide_code(nb: NotebookNode) -> None:
    """Have JupyterLab and nbconvert show outputs alone."""
    for cell in nb.cells:
        if cell.cell_type == "code":
            others = cell.metadata.get("jupyter")  # older formats let anything be there
            cell.metadata["jupyter"] = {**(others if isinstance(others, dict) else {}), "source_hidden": True}


def tagged(nb: NotebookNode, tag: str) -> int | None:
    """Return the index of the first cell with the tag, None if there is none."""
    return next((index for index, cell in enumerate(nb.cells) if tag in cell.metadata.get("tags", [])), None)


def _unknown(nb: NotebookNode, parameters: Collection[str]) -> list[str]:
    if tagged(nb, DEFAULTS_TAG) is None:
        return [
            "no cell is tagged 'parameters': they are set before all other cells, which may set them anew."
        ]
    known = [parameter.name for parameter in inferred(nb)]
    unknown = ", ".join(repr(name) for name in parameters if name not in known)
    sets = ", ".join(known) or "nothing"
    return [f"the notebook's parameters cell does not set {unknown}; it sets {sets}."] if unknown else []


def _secrets(parameters: Mapping[str, object]) -> list[str]:
    names = [name for name, value in parameters.items() if isinstance(value, str) and _SECRET.fullmatch(name)]
    if not names:
        return []
    told = ", ".join(names)
    instead = f"a secret is passed with --secret {names[0]}, which writes it nowhere"
    return [f"{told}: parameters stand in the executed notebook for all to read; {instead}."]
