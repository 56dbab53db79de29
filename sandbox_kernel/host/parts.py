"""The JSON parts of messages, read and written.

What leaves the guard is always plain JSON: no NaN, no lone surrogates, no nesting beyond
MAX_DEPTH, for clients raise on these, some only when the notebook is saved, hours later. A part
that needs no repair keeps its bytes.

Two readers share the work. msgspec's is strict, keeps whole numbers of any size, and takes half
the time or less; what it refuses is read once more by Python's own, which is told to repair.
Numbers with a fraction or an exponent are Python's to convert, or four million of the worst
(1e-310) would hold up the whole process for half a minute.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sandbox_kernel.wire import Part

MAX_DEPTH = 128
"""Nesting of JSON: far above any notebook (Vega reaches about 20), far below Python's recursion limit."""

MAX_CONTAINERS = 250_000
"""Arrays and objects in one part: each costs a reader a hundred bytes or more, and a sender two."""

MAX_VALUES = 4_000_000
"""Commas in one part, that is, values: four series of a million points, 300 MB to a reader at most."""

FEW = 64
"""Brackets or commas that are found one by one: faster than to count, unless there are more."""

SHORT = 4 << 10
"""Bytes of a part in which brackets are counted: to find them one by one takes longer than that."""

PIECE = 256 << 10
"""Bytes of a view that are looked through at once: they fit into a processor's cache."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A string of JSON; also one that does not end, or the search for its end would begin again at each quote."""

_BRACKET = re.compile(rb"[\[{}\]]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Json = dict[str, Any]


class UncleanMessageError(Exception):
    """A part that cannot be repaired; says which and why."""


class _NotFiniteError(Exception):
    """A number that JSON can spell and no reader can hold."""


def _real(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise _NotFiniteError(text)


_STRICT = msgspec.json.Decoder(float_hook=_real)
_ENCODER = msgspec.json.Encoder()
_LENIENT_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def read_object(part: Part, what: str, *, limit: int | None = None) -> tuple[Json, Part]:
    """Return a JSON object and the bytes that may be passed on for it.

    A long part is a view of what has arrived, which nobody copies as a whole.

    :raises UncleanMessageError: not a JSON object, too large, or too deep.
    """
    value, part, _ = read_counted(part, what, limit=limit)
    return value, part


def read_counted(part: Part, what: str, *, limit: int | None = None) -> tuple[Json, Part, int]:
    """Return what `read_object` does, and how many arrays and objects there are in it, or hardly more.

    :raises UncleanMessageError: as there.
    """
    if limit is not None and len(part) > limit:
        raise UncleanMessageError(f"{what} of {len(part)} bytes")
    containers = _check_structure(part, what)
    try:
        value = _STRICT.decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError, _NotFiniteError):
        value = _repaired(part, what)
        part = json_bytes(value)
    if not isinstance(value, dict):
        raise UncleanMessageError(f"{what} that is no JSON object")
    return value, part, containers


def _repaired(part: Part, what: str) -> Any:
    """Return the value without what JSON does not know: numbers that are none become null."""
    try:
        value = json.loads(str(part, "utf-8"), parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UncleanMessageError(f"{what} that is no JSON") from error
    return _scrubbed(value)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def json_bytes(value: Any) -> bytes:
    """Return the value as JSON in UTF-8: no longer than what it was read from, or hardly."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:  # half of a pair of surrogates
        return _LENIENT_ENCODER.encode(value).encode(errors="replace")


def _check_structure(part: Part, what: str) -> int:
    """Refuse what would take a parser deep, or a reader gigabytes, before either meets it.

    Counting bytes is exact enough where there are few; only where not are strings left out. Return how
    many arrays and objects there are.
    """
    if isinstance(part, bytes) and len(part) < SHORT:
        if (containers := part.count(b"[") + part.count(b"{")) <= FEW:
            return containers
    elif (few := _few(part)) is not None:
        return few
    bare = _STRING.sub(b"", part)
    containers = bare.count(b"[") + bare.count(b"{")
    if containers > MAX_CONTAINERS or bare.count(b",") > MAX_VALUES:
        raise UncleanMessageError(f"{what} of too many values")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth < 0:  # so there are no more closing ones than were counted
            raise UncleanMessageError(f"{what} that is no JSON")
        if depth > MAX_DEPTH:
            raise UncleanMessageError(f"{what} nested more than {MAX_DEPTH} deep")
    return containers


def _few(part: Part) -> int | None:
    """Return how many arrays and objects there are, those in texts too; None: many, or too many values."""
    arrays = objects = commas = 0
    for piece in _pieces(part):  # each is in the cache for all three
        arrays += _number(b"[", piece)
        objects += _number(b"{", piece)
        commas += _number(b",", piece)
        if arrays > FEW or objects > FEW or commas > MAX_VALUES:
            return None
    return arrays + objects


def _pieces(part: Part) -> Iterator[bytes]:
    """Yield a part in bytes: a view has none of their methods."""
    if isinstance(part, bytes):
        yield part
        return
    for start in range(0, len(part), PIECE):
        yield bytes(part[start : start + PIECE])


def _number(byte: bytes, piece: bytes) -> int:
    """Return how many such bytes there are: to find a few is ten times as fast as to count them."""
    found, at = 0, piece.find(byte)
    while at >= 0:
        found += 1
        if found > FEW:
            return piece.count(byte)
        at = piece.find(byte, at + 1)
    return found


def _scrubbed(value: Any) -> Any:
    """Return the value with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(item) for key, item in value.items()}
    return value
