"""Which parameters a notebook has: read off its source, which is never executed.

The cell tagged `parameters` is parsed as Python. A notebook's author is a stranger: whatever the
parser makes of the cell, the worst is that nothing is inferred.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from nbformat import NotebookNode

MAX_SOURCE: Final = 256 << 10
"""Characters of a cell that are parsed. Parsing takes memory a hundred times the text's."""
_MAGIC: Final = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)
_COMMENT: Final = re.compile(rb"\s*#(.*)")
_TYPE: Final = re.compile(r"type:\s*(\S+)\s*")
_SEQUENCE: Final = (ast.Tuple, ast.List)
_PARSER: Final = (SyntaxError, ValueError, MemoryError, RecursionError)
"""What Python's parser raises for a text that is none, or that is too deep for it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name that a notebook's parameters cell sets."""

    name: str
    type: str | None
    """The annotation, the type comment, or the type that its default shows; None where none of them does."""
    default: str
    help: str
    """The comment behind it."""


def inferred(nb: NotebookNode) -> list[Parameter]:
    """Return the parameters of the notebook, in order; none where there is no cell for them."""
    cells = (cell for cell in nb.cells if "parameters" in cell.metadata.get("tags", []))
    cell = next(cells, None)
    if cell is None or cell.cell_type != "code":
        return []
    return inferred_from(cell.source)


def inferred_from(source: str) -> list[Parameter]:
    """Return the parameters that a cell's source sets; of those of one name, the last."""
    if len(source) > MAX_SOURCE:
        return []
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is the notebook's affair
            body = ast.parse(_MAGIC.sub("", source)).body
        lines = [line.encode() for line in source.split("\n")]  # as the parser counts: in bytes
        found = [parameter for node in body for parameter in _set_by(node, lines)]
    except _PARSER:
        return []
    return list({parameter.name: parameter for parameter in found}.values())


def _set_by(node: ast.stmt, lines: Sequence[bytes]) -> Iterator[Parameter]:
    """Yield what a statement sets; nothing here looks through all lines again, of which there may be many."""
    targets: list[ast.expr]
    if isinstance(node, ast.AnnAssign):
        targets, annotation = [node.target], ast.unparse(node.annotation).strip("'\"")
    elif isinstance(node, ast.Assign):
        targets, annotation = node.targets, None
    else:
        return
    if node.value is None:  # a type alone sets nothing
        return
    hint, comment = _comment(node, lines)
    shown = cache(lambda value, whole: _shown(value, whole, lines))  # once, however many names it goes to
    for target in targets:
        for name, value, whole in _unpacked(target, node.value):
            kind, default = shown(value, whole)
            named = annotation or hint if isinstance(target, ast.Name) else None
            yield Parameter(name, named or kind, default, comment)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr, bool]]:
    """Yield the names that an assignment sets, with a value, and whether all of that is the name's."""
    if isinstance(target, ast.Name):
        yield target.id, value, True
    elif isinstance(target, _SEQUENCE) and isinstance(value, _SEQUENCE) and _are_pairs(target, value):
        for part, its_value in zip(target.elts, value.elts, strict=True):
            yield from _unpacked(part, its_value)
    elif isinstance(target, _SEQUENCE):
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, value, False


def _are_pairs(target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> bool:
    starred = any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
    return not starred and len(target.elts) == len(value.elts)


def _shown(value: ast.expr, whole: bool, lines: Sequence[bytes]) -> tuple[str | None, str]:
    """Return type and default of a name that gets this value, or a part of it."""
    default = _default(value, lines)
    return (_type_of(value), default) if whole else (None, f"part of {default}")


def _comment(node: ast.stmt, lines: Sequence[bytes]) -> tuple[str | None, str]:
    """Return the type, if it is given so, and the rest of the comment on the statement's last line."""
    found = _COMMENT.match(lines[(node.end_lineno or 1) - 1], node.end_col_offset or 0)
    if found is None:
        return None, ""
    text = found[1].decode().strip()
    hint = _TYPE.match(text)
    return (hint[1], text[hint.end() :]) if hint else (None, text)


def _default(value: ast.expr, lines: Sequence[bytes]) -> str:
    if value.lineno == value.end_lineno:
        return lines[value.lineno - 1][value.col_offset : value.end_col_offset].decode()
    return ast.unparse(value)


def _type_of(value: ast.expr) -> str | None:
    try:
        constant = ast.literal_eval(value)
    except _PARSER:
        return None
    return None if constant is None else type(constant).__name__
