"""Names of results: readable, safe as a file's name, and the same for the same run.

The name of a run with parameters says what they are. Two runs never share one by accident: where a
value cannot be written out whole (it is long, a list, or a text that looks like a number), a piece of
the digest of all parameters follows.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

LONGEST_LABEL: Final = 120
"""Characters of parameters that a name shows."""
LONGEST_NAME: Final = 240
"""Bytes of a name: a file system takes 255, and programs like to append something of their own."""
SUFFIX: Final = ".ipynb"

_UNSAFE: Final = re.compile(r"[^\w.+-]+")
_PLAIN: Final = re.compile(r"[^\W\d][\w.+-]*")
_WORDS: Final = {"true", "false", "none", "null", "nan", "inf", "infinity"}
"""Texts that could be taken for values of another kind."""


def canonical(value: object) -> str:
    """Return the one text that stands for a value as JSON has it; equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of bytes or of a text."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def label(parameters: Mapping[str, Any]) -> str:
    """Return what a name says of parameters: `year=2023,region=north`; empty where there are none."""
    text = ",".join(f"{_safe(name)}={shown(value)}" for name, value in parameters.items())
    whole = all(map(_is_whole, parameters, parameters.values())) and len(text) <= LONGEST_LABEL
    if whole:
        return text
    return f"{text[:LONGEST_LABEL]}-{digest(canonical(dict(parameters)))[:8]}"


def shown(value: object) -> str:
    """Return a value as a part of a name."""
    if value is None or isinstance(value, bool | int | float):
        return canonical(value)
    return _safe(value if isinstance(value, str) else canonical(value))


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-") or "-"


def _is_whole(name: str, value: object) -> bool:
    """Tell whether name and value can be read off a label, so that another value has another label."""
    if isinstance(value, str):
        return name.isidentifier() and bool(_PLAIN.fullmatch(value)) and value.lower() not in _WORDS
    return name.isidentifier() and (value is None or isinstance(value, bool | int | float))


def result_name(notebook: str, label_: str = "", ending: str = "") -> str:
    """Return the name of the result of a notebook of that name: `report--year=2023.ipynb`."""
    stem = PurePath(notebook).stem + (f"--{label_}" if label_ else "") + ending
    return safe_name(f"{stem}{SUFFIX}")


def safe_name(name: str) -> str:
    """Return a folder's or file's name with nothing in it that terminals or other systems stumble over.

    A name that had to be changed gets a piece of its digest, lest it become another one's.
    """
    raw = os.fsencode(name)
    clean = "".join(character if character.isprintable() else "_" for character in name)
    if clean == name and len(raw) <= LONGEST_NAME:
        return name
    stem, suffix = PurePath(clean).stem, PurePath(clean).suffix[:40]
    room = LONGEST_NAME - len(os.fsencode(suffix)) - 9
    stem = stem.encode()[: max(room, 0)].decode("utf-8", "ignore")
    return f"{stem}-{digest(raw)[:8]}{suffix}"
