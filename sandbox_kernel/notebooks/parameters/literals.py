"""Values as Python literals, and as they stand in a notebook's metadata.

What is written is evaluated by a kernel: so it is a literal, whatever the value holds. Strings
escape what cannot be seen (control characters, marks that reverse text), since a person reads the
cell. A value that has no literal, or no end, is refused.
"""

import math
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any, Final

from sandbox_kernel.errors import NotebookError

MAX_CELL: Final = 16 << 20
"""Characters of all parameters together: what the default policy lets into a kernel as one cell.
A few lines of YAML can stand for more than any machine holds (references to references)."""
MAX_DEPTH: Final = 90
"""Lists and mappings in each other; Python reads no more than some hundred."""


class _UnwritableError(Exception):
    """The value cannot be written; the text completes "parameter 'x' …"."""


def assignments(parameters: Mapping[str, object]) -> str:
    """Return one line of Python for each parameter, in order.

    :raises NotebookError: a name is none in Python, or a value cannot be written.
    """
    lines, left = [], MAX_CELL
    for name, value in parameters.items():
        _require_name(name)
        try:
            line = f"{name} = {_literal(value, left)}\n"
        except _UnwritableError as reason:
            raise NotebookError(f"parameter {name!r} {reason}.") from None
        left -= len(line)
        lines.append(line)
    return "".join(lines)


def plain(value: object) -> Any:
    """Return a value that `assignments` has written, as JSON has it.

    JSON has no nan and no infinity: a notebook that holds them opens in no browser.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
        raise NotebookError(f"{name!r:.100} is no name that a parameter can have; write a Python identifier.")


def _literal(value: object, room: int) -> str:
    pieces = []
    for piece in _pieces(value, MAX_DEPTH):
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise _UnwritableError(
                f"makes their cell longer than {MAX_CELL >> 20} MiB; share a file instead (--mount)"
            )
    return "".join(pieces)


def _pieces(value: object, levels: int) -> Iterator[str]:
    """Yield the literal in pieces: whoever joins them may stop."""
    if levels < 0:
        raise _UnwritableError(f"is nested more than {MAX_DEPTH} levels deep, or holds itself")
    if isinstance(value, Mapping):
        yield from _between("{", "}", (_entry(key, item, levels) for key, item in value.items()))
    elif isinstance(value, list | tuple):
        yield from _between("[", "]", (_pieces(item, levels - 1) for item in value))
    else:
        yield _scalar(value)


def _between(opening: str, closing: str, items: Iterator[Iterator[str]]) -> Iterator[str]:
    yield opening
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield from item
    yield closing


def _entry(key: object, item: object, levels: int) -> Iterator[str]:
    yield f"{_scalar(_key(key))}: "
    yield from _pieces(item, levels - 1)


def _key(key: object) -> str:
    """Return a mapping's key, as text: papermill writes them so, and JSON has no others."""
    if isinstance(key, str | int | float | None):
        return str(key)
    raise _UnwritableError(f"has a {type(key).__name__} for a key; write it as text")


def _scalar(value: object) -> str:
    """Return the literal of a value without parts; a subclass is written as what it derives from."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else f"float({str(float(value))!r})"
    if isinstance(value, int):
        return _digits(value)
    raise _UnwritableError(
        f"has a {type(value).__name__} in it, which a notebook cannot hold; write it as text"
    )


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _UnwritableError(
            "has half a character (a lone surrogate) in it, or bytes that are no UTF-8"
        ) from None
    return str.__repr__(value)


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python's own bound on what would take it quadratic time
        raise _UnwritableError("has a number with too many digits in it; write it as text") from None
