"""JSON as host and guest write it to each other: objects of texts, numbers and lists, without white space.

The module `json` is not imported for it. It brings `re` and `enum`, which every sandbox's first process
would wait for before its kernel is started; the interpreter's own scanner, which is below it, needs neither.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


class _Reading:
    """What the scanner asks: what to make of objects, lists and numbers."""

    strict = True
    array_hook = object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _interpreters_own() -> tuple[Callable[[str], str], Callable[[str, int], tuple[Any, int]]]:
    """Return what writes a text, and what reads the value at a place."""
    try:
        from _json import encode_basestring_ascii, make_scanner  # noqa: PLC0415 - may not be there
    except ImportError:  # not CPython
        from json import JSONDecoder, encoder  # noqa: PLC0415

        return encoder.encode_basestring_ascii, JSONDecoder(parse_constant=_refuse).scan_once  # type: ignore[attr-defined]
    return encode_basestring_ascii, make_scanner(_Reading())  # type: ignore[arg-type]  # any such object


_quoted, _scan = _interpreters_own()


def loads(data: bytes) -> Any:
    """Return the value that `data` is the whole text of.

    :raises ValueError: it is no JSON, or is followed by something, or has NaN or infinity in it.
    :raises RecursionError: it is nested too deeply.
    """
    text = data.decode("ascii")  # as `dumps` writes it
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("no value was found") from None
    if end != len(text):
        raise ValueError("the value is followed by something")
    return value


def dumps(value: Any) -> bytes:
    """Return the text of a value made of dictionaries, lists, tuples, texts, finite numbers, booleans, None.

    :raises TypeError: it holds something else.
    """
    return _written(value).encode("ascii")


def _written(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)  # an enumeration's, too
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_written(name)}:{_written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_written, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON")
