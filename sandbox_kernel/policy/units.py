"""Sizes and times as people write them, and as people read them.

Sizes count in 1024s whatever the spelling ("512m", "512 MB", "512MiB" are the same), as
Docker's do: whoever writes "1g" for memory means a power of two. Times are seconds, or
numbers with units ("90s", "1h30m").

Patterns are ASCII and bounded on purpose: `int()` and `float()` also take "1_0", "inf",
"1e309", other scripts' digits and a megabyte of them.
"""

import re

KiB = 1 << 10
MiB = 1 << 20
GiB = 1 << 30
TiB = 1 << 40


class UnusableError(ValueError):
    """A value means nothing for its field; the text completes "<field>: <value> …"."""


_ENDLESS = re.compile(r"[0-9.]{19,}.*", re.ASCII | re.DOTALL)
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(rf"({_NUMBER}) ?(?:([kmgt])(?:i?b)?|b|bytes)?", re.IGNORECASE | re.ASCII)
_SIZE_UNITS = {None: 1, "k": KiB, "m": MiB, "g": GiB, "t": TiB}
_PLAIN = re.compile(_NUMBER, re.ASCII)
_TIME_PART = re.compile(rf"({_NUMBER}) ?(ms|s|m|h|d)", re.ASCII)
_TIME = re.compile(rf"(?:{_NUMBER} ?(?:ms|s|m|h|d) ?){{1,5}}", re.ASCII)
_TIME_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Return the bytes that a text like "512m", "1.5 GiB" or "4096" means.

    :raises UnusableError: it means none.
    """
    _require_end(text)
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UnusableError('is not a size; write for example "512m" or "1.5 GiB"')
    number, unit = match.groups()
    size = float(number) * _SIZE_UNITS[unit.lower() if unit else None]
    return int(number) if unit is None and number.isdigit() else int(size)


def parse_number(text: str) -> float:
    """Return the number that a text like "1.5" means.

    :raises UnusableError: it means none.
    """
    _require_end(text)
    if _PLAIN.fullmatch(text.strip()) is None:
        raise UnusableError('is not a number; write for example "1.5"')
    return float(text)


def parse_seconds(text: str) -> float:
    """Return the seconds that a text like "90s", "1h30m" or "2.5" means.

    :raises UnusableError: it means none.
    """
    _require_end(text)
    stripped = text.strip()
    if _PLAIN.fullmatch(stripped):
        return float(stripped)
    if _TIME.fullmatch(stripped) is None:
        raise UnusableError('is not a time; write seconds, or for example "90s", "10m", "1h30m"')
    return sum(float(number) * _TIME_UNITS[unit] for number, unit in _TIME_PART.findall(stripped))


def _require_end(text: str) -> None:
    """Refuse more digits than anything has that is granted here: 18 count the bytes of an exabyte."""
    if _ENDLESS.fullmatch(text.strip()):
        raise UnusableError("has too many digits: it is larger, or finer, than anything that can be granted")


def format_size(size: int) -> str:
    """Return a size for people: "512 MiB", "1.5 GiB", "1 byte"."""
    for unit, name in ((TiB, "TiB"), (GiB, "GiB"), (MiB, "MiB"), (KiB, "KiB")):
        if abs(size) >= unit:
            return f"{_trimmed(size / unit, 1)} {name}"
    return "1 byte" if size == 1 else f"{size} bytes"


def format_seconds(seconds: float) -> str:
    """Return a duration for people: "2 s", "1 min 30 s", "1 h"."""
    if seconds < 60:
        return f"{_trimmed(seconds, 3)} s"
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _trimmed(number: float, digits: int) -> str:
    """Return a number with at most so many digits after the point, and no idle zeros."""
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")
