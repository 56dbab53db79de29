"""A fingerprint of the Python environment that a kernel runs in, where no image has a digest.

SHA-256 over Python's minor version and the names and versions of all installed packages, as
the names of their metadata directories say them. Nothing is imported, run or read: it takes a
millisecond, and is the same wherever the same is installed. It does not tell whether
somebody has edited an installed file.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.interpreter import look_at_interpreter

_PLACES: Final = (
    "lib*/python3.*/site-packages",
    "lib*/python3.*/dist-packages",
    "lib/python3/dist-packages",
)
_ENDINGS: Final = frozenset({".dist-info", ".egg-info"})


def fingerprint(command: str) -> str | None:
    """Return the fingerprint of a Python's environment; None if the command is no Python here."""
    known = _KNOWN.get(command)
    if known and known.stamps == _stamps(known.places):
        return known.digest
    try:
        places = _places_of(command)
        known = _Known(places, _stamps(places), _digest(places))
    except (StartError, OSError):  # whoever starts it says so better
        return None
    if max(known.stamps, default=0) < time.time_ns() - SETTLED:
        _KNOWN[command] = known
    return known.digest


class _Known(NamedTuple):
    """What was found out of one environment; it holds for as long as nothing was installed or removed."""

    places: tuple[Path, ...]
    stamps: tuple[int, ...]
    digest: str


SETTLED: Final = 2_000_000_000
"""Nanoseconds since the last change, before which another one may get the same time from the file system."""

_KNOWN: Final[dict[str, _Known]] = {}
"""By command: the next kernel of the same environment starts two milliseconds sooner."""


def _stamps(places: Iterable[Path]) -> tuple[int, ...]:
    """Return when each directory was changed last, 0 for one that is gone."""
    return tuple(place.stat().st_mtime_ns if place.exists() else 0 for place in places)


def _places_of(command: str) -> tuple[Path, ...]:
    directories = [Path(shown.path) for shown in look_at_interpreter(command).directories]
    return tuple(sorted({place for directory in directories for place in _places(directory)}))


def _digest(places: Iterable[Path]) -> str:
    packages = {
        entry.name.lower() for place in places for entry in place.iterdir() if entry.suffix in _ENDINGS
    }
    versions = {place.parent.name for place in places}
    text = json.dumps([sorted(versions), sorted(packages)])
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _places(prefix: Path) -> set[Path]:
    if prefix.name in ("site-packages", "dist-packages"):
        return {prefix}
    return {place for pattern in _PLACES for place in prefix.glob(pattern) if place.is_dir()}
