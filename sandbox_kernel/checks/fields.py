"""Reads a mapping of a CHECKS file key by key; refuses what is unknown, missing, or of the wrong kind."""

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from sandbox_kernel.errors import ChecksError

_LONGEST: Final = 60
"""Characters of what somebody has written that a refusal repeats."""
MAX_NUMBER: Final = 1e9
"""Of points, sizes and counts: more is a slip of the finger."""

_NAMES = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


class Fields:
    """One mapping, and where it stands."""

    def __init__(self, written: object, place: str, known: Iterable[str]) -> None:
        """Take in a mapping whose keys are all known.

        :raises ChecksError: it is no mapping, or one of its keys is not known.
        """
        self._place = place
        if not isinstance(written, Mapping):
            raise ChecksError(f"{place}: {named(written)} stands where a mapping (key: value) should be.")
        self._written: Mapping[str, Any] = written
        known = tuple(known)
        for key in written:
            if key not in known:
                raise ChecksError(f"{place}: {_unknown(key, known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._written

    def refuse(self, sentence: str) -> ChecksError:
        """Return the error that says what is wrong here."""
        return ChecksError(f"{self._place}: {sentence}")

    def one_of(self, *keys: str) -> str:
        """Return the one of these keys that is given.

        :raises ChecksError: none is, or more than one.
        """
        given = [key for key in keys if key in self._written]
        if len(given) != 1:
            every = ", ".join(map(repr, keys))
            problem = f"only one of {every} may be" if given else f"one of {every} must be"
            raise self.refuse(f"{problem} there.")
        return given[0]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text. :raises ChecksError: it is none, or missing where there is no default."""
        value = self._get(key, default)
        if isinstance(value, str):
            return value
        advice = "; put it in quotes" if isinstance(value, bool | int | float | date) else ""
        raise self._unfit(key, value, f"a text{advice}")

    def class_names(self, key: str) -> tuple[str, ...]:
        """Return one or several names of classes: `Stack`, `numpy.ndarray`.

        :raises ChecksError: one of them cannot be any class's.
        """
        names = self.texts(key)
        for name in names:
            self._require_name(key, name)
        return names

    def class_name(self, key: str) -> str:
        """Return the name of a class. :raises ChecksError: it cannot be any's."""
        name = self.text(key)
        self._require_name(key, name)
        return name

    def _require_name(self, key: str, name: str) -> None:
        if not all(part.isidentifier() for part in name.split(".")):
            raise self.refuse(f"{key!r} is {name[:_LONGEST]!r}, which is no name of Python's.")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return one text or a list of them. :raises ChecksError: it is neither."""
        value = self._get(key)
        several = value if isinstance(value, list) else [value]
        if not several or not all(isinstance(one, str) for one in several):
            raise self._unfit(key, value, "a text, or a list of texts")
        return tuple(several)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false. :raises ChecksError: it is neither."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._unfit(key, value, "true or false")
        return value

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return one of some words. :raises ChecksError: it is another."""
        value = self._get(key, default)
        if not isinstance(value, str) or value not in choices:
            near = get_close_matches(str(value), list(choices), n=1)
            advice = f"; {near[0]!r} is near" if near else ""
            raise self._unfit(key, value, f"one of {', '.join(choices)}{advice}")
        return value

    def number(self, key: str, default: float | None = None, *, least: float = 0) -> float:
        """Return a number. :raises ChecksError: it is none, or out of bounds."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MAX_NUMBER:
            raise self._unfit(key, value, f"a number from {least:g} to {MAX_NUMBER:g}")
        return value

    def whole(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """Return a whole number. :raises ChecksError: it is none, or out of bounds."""
        value = self._get(key, default)
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            raise self._unfit(key, value, f"a whole number from {least}")
        return value

    def plain(self, key: str) -> Any:
        """Return whatever stands there. :raises ChecksError: nothing does."""
        return self._get(key, required=True)

    def items(self, key: str, default: list[Any] | None = None) -> list[Any]:
        """Return a list. :raises ChecksError: it is none."""
        value = self._get(key, default)
        if not isinstance(value, list):
            raise self._unfit(key, value, "a list")
        return value

    def mapping(self, key: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return a mapping whose keys are texts. :raises ChecksError: it is none."""
        value = self._get(key, default)
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self._unfit(key, value, "a mapping whose keys are texts")
        return value

    def _get(self, key: str, default: object = None, *, required: bool = False) -> Any:
        if key not in self._written:
            if default is None:
                raise self.refuse(f"{key!r} is missing.")
            return default
        value = self._written[key]
        if value is None and not required:
            raise self.refuse(f"{key!r} is empty.")
        return value

    def _unfit(self, key: str, value: object, wanted: str) -> ChecksError:
        return self.refuse(f"{key!r} is {named(value)}; it has to be {wanted}.")


def named(value: object) -> str:
    """Return what somebody has written, and what YAML takes it for."""
    kind = _NAMES.get(type(value), type(value).__name__)
    if value is None or isinstance(value, list | dict):
        return kind
    text = repr(value)
    return f"{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'} ({kind})"


def _unknown(key: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(key), known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
    text = repr(key)
    return f"{text[:_LONGEST]} is not known here; {advice}"
