"""From what people write to values: typed pairs, YAML, JSON, files, base64.

As papermill has it: YAML without dates, `True`, `None`, whole numbers and fractions told by how they
look, and this order, in which what comes later wins: base64, files, YAML, typed pairs, raw pairs.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.remote import Address, place

MAX_TEXT: Final = 16 << 20
"""Bytes that are read of parameters: as many as can be written into a cell."""
MAX_DIGITS: Final = 4300
"""Of a whole number: as many as Python reads by itself."""
_WORDS: Final = {"True": True, "False": False, "None": None}


class PlainLoader(yaml.SafeLoader):
    """Makes plain values; a date stays the text that it is."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- as the base class has it
        letter: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
        for letter, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Make a number of one whose length has an end: sixties (1:30:00) take quadratic time.

        :raises ValueError: it is longer.
        """
        if len(node.value) > MAX_DIGITS:
            raise ValueError(f"a number has more than {MAX_DIGITS} digits")
        return int(super().construct_yaml_int(node))

    yaml_constructors = {  # noqa: RUF012 -- as above
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:int": construct_yaml_int,
    }


def together(
    *,
    encoded: Iterable[str] = (),
    files: Iterable[str] = (),
    texts: Iterable[str] = (),
    typed: Iterable[tuple[str, str]] = (),
    raw: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Return the parameters of all sources; of those of one name the last, in the order given here.

    :raises NotebookError: one of them cannot be read; the message says which.
    """
    found: dict[str, Any] = {}
    for text in encoded:
        found |= from_base64(text)
    for name in files:
        found |= from_file(name)
    for text in texts:
        found |= from_yaml(text, "-y")
    return found | {name: value_of(text) for name, text in typed} | dict(raw)


def value_of(text: str) -> object:
    """Return what a value on the command line means: True, False, None, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def from_yaml(text: str | bytes, source: str) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON text; `source` is what messages call it.

    :raises NotebookError: it is none.
    """
    if len(text) > MAX_TEXT:
        raise NotebookError(
            f"{source} is larger than {MAX_TEXT >> 20} MiB; pass a file to the notebook instead."
        )
    try:
        value = yaml.load(text, PlainLoader)  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a number with too many digits
        reason = " ".join(str(error).split())[:200]
        raise NotebookError(f"{source} cannot be read as YAML: {reason}.") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NotebookError(
            f"{source} is a {type(value).__name__}; write names with their values (`alpha: 0.5`)."
        )
    return dict(value)


def from_base64(text: str) -> dict[str, Any]:
    """Return the mapping in a YAML text that somebody has packed so that no shell touches it.

    :raises NotebookError: it is none.
    """
    try:
        return from_yaml(base64.b64decode("".join(text.split()), validate=True), "-b")
    except binascii.Error as error:
        raise NotebookError(f"-b is not base64: {error}.") from error


def from_file(name: str) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file, a pipe (`<(…)`), or a remote place.

    :raises NotebookError: it cannot be read, or is none.
    """
    where = place(name)
    if isinstance(where, Address):
        return from_yaml(where.read(MAX_TEXT), str(where))
    try:
        with where.open("rb") as file:
            return from_yaml(file.read(MAX_TEXT + 1), name)
    except OSError as error:
        raise NotebookError(f"cannot read {name}: {error.strerror}.") from error
