"""Expected values: plain data that a YAML file holds, no larger than answers can be."""

from collections.abc import Mapping
from datetime import date, time
from typing import Any, Final

from sandbox_kernel.checks.fields import Fields

MAX_DEPTH: Final = 20
"""Levels: as deep as a submission's values are described."""
MAX_NODES: Final = 10_000
"""Values: as many as one answer has. A file's aliases can stand for billions."""
_SCALARS: Final = (str, int, float, bytes, date, time, type(None))


def plain(fields: Fields, key: str) -> Any:
    """Return the value under a key.

    :raises ChecksError: it is missing, too large or too deep, or not plain.
    """
    left = MAX_NODES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise fields.refuse(f"{key!r} has more than {MAX_NODES} values in it.")
        if not depth:
            raise fields.refuse(f"{key!r} is nested more than {MAX_DEPTH} levels deep.")
        match value:
            case Mapping():
                if not all(isinstance(name, _SCALARS) for name in value):
                    raise fields.refuse(f"{key!r} has a mapping with a key that is no text and no number.")
                return {name: copy(item, depth - 1) for name, item in value.items()}
            case list() | tuple():
                return [copy(item, depth - 1) for item in value]
            case set() | frozenset():
                return {copy(item, depth - 1) for item in value}
        if not isinstance(value, _SCALARS):
            raise fields.refuse(f"{key!r} has a {type(value).__name__} in it, which is not plain data.")
        return value

    return copy(fields.plain(key), MAX_DEPTH)
