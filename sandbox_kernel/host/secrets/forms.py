"""How a secret looks in text: itself, and what common programs make of it."""

import base64
import html
import json
import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 8
"""Characters: shorter values would be found by accident, in words and numbers that are none of theirs."""

LONG_LINE: Final = 16
"""Characters of a line of a longer secret that is taken for a secret by itself, as in a private key."""


def forms(value: str) -> set[str]:
    """Return the texts that give the value away; none if it is too short to be told from other text."""
    stripped = value.strip()
    if len(stripped) < SHORTEST:
        return set()
    found = {form for text in {value, stripped} for form in _spellings(text)}
    found |= {form for line in _lines(stripped) for form in (line, _json(line))}
    return {form for form in found if len(form) >= SHORTEST}


def _lines(text: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > 1:
        yield from (line for line in map(str.strip, lines) if len(line) >= LONG_LINE and line[:5] != "-----")


def _spellings(text: str) -> Iterator[str]:
    data = os.fsencode(text)
    yield text
    yield from (_json(text), json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
    yield from (html.escape(text), html.escape(text, quote=False))
    yield from (quote(data), quote(data, safe=""), quote_plus(data))
    yield from (data.hex(), data.hex().upper())
    for encoded in _base64(data):
        yield from (encoded, encoded.replace("+", "-").replace("/", "_"))


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _base64(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of the data, wherever it stands in what is encoded ("user:secret", say).

    Three characters hold four bytes: so there are three ways, less what depends on the neighbours.
    """
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode("ascii")
        whole = (before + len(data)) * 8 // 6
        yield encoded[-(-before * 8 // 6) : whole]
