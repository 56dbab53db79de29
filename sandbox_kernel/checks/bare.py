"""A stranger's notebook reduced to what is run of it, before anything looks at it that takes its time.

What makes a notebook of formats 1 to 4 a valid one is decided by nbformat, which goes through all of it
several times, in Python: ten seconds where a submission is made of millions of small outputs. Here it
is read once, by a parser in C, and what is left has code and tags only.
"""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

MOST_CELLS: Final = 5000
"""Cells of every kind: a second of nbformat's time, and ten times as many as may have code."""
MOST_PIECES: Final = 500_000
"""Lists and mappings, or what looks like the beginning of one: even the parser in C, which nothing else runs
beside, needs half a second for so many. Notebooks of that size consist of pictures and texts."""
_MOST_KEYS: Final = 20
"""Of a cell: more than any format has."""
_MOST_TAGS: Final = 50


class TooMuchError(Exception):
    """A notebook that is not read any further."""


def bare(text: str) -> str:
    """Return the notebook in `text` without outputs, pictures, prose and notes; what is none as it is.

    :raises TooMuchError: it is made of more than anybody's notebook; the message says of what.
    """
    if text.count("[") + text.count("{") > MOST_PIECES:
        raise TooMuchError(f"it is made of more than {MOST_PIECES} lists and mappings; clear its outputs")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict) or "nbformat" not in content:
        return text
    room = MOST_CELLS

    def cells_of(holder: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal room
        cells = holder.get("cells")
        if not isinstance(cells, list):
            return {"cells": None}
        room -= len(cells)
        if room < 0:
            raise TooMuchError(f"it has more than {MOST_CELLS} cells")
        return {"cells": [_cell(cell) for cell in cells]}

    kept = {"metadata": {}} | {key: _scalar(content.get(key, 0)) for key in ("nbformat", "nbformat_minor")}
    sheets = content.get("worksheets")
    if isinstance(sheets, list):  # formats 2 and 3
        sheets = islice((sheet for sheet in sheets if isinstance(sheet, dict)), MOST_CELLS)
        kept["worksheets"] = [{"metadata": {}, **cells_of(sheet)} for sheet in sheets]
    else:
        kept |= cells_of(content)
    return json.dumps(kept)


def _cell(cell: object) -> dict[str, Any] | None:
    """Return a cell with its code and tags; where it has no code, its words are left out as well."""
    if not isinstance(cell, dict):
        return None
    kept = {key: _text(value) for key, value in islice(cell.items(), _MOST_KEYS)}
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if isinstance(tags, list):
        kept["metadata"] = {"tags": [tag for tag in tags[:_MOST_TAGS] if isinstance(tag, str)]}
    elif "metadata" in cell:
        kept["metadata"] = {}
    if "outputs" in cell:
        kept["outputs"] = []
    kept.pop("attachments", None)
    if cell.get("cell_type") != "code" and "source" in kept:
        kept["source"] = ""
    return kept


def _text(value: object) -> object:
    """Return a text, also where it is a list of its lines; what is neither a text nor a scalar is nothing."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return _scalar(value)


def _scalar(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else None
