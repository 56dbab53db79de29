"""A fingerprint of the Python environment that a kernel runs in, where no image has a digest.

SHA-256 over Python's minor version and the names and versions of all installed packages, as
the names of their metadata directories say them. Nothing is imported, run or read: it takes a
millisecond, and is the same wherever the same is installed. It does not tell whether
somebody has edited an installed file.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.interpreter import look_at_interpreter

_PLACES: Final = (
    "lib*/python3.*/site-packages",
    "lib*/python3.*/dist-packages",
    "lib/python3/dist-packages",
)
_ENDINGS: Final = (".dist-info", ".egg-info")


def fingerprint(command: str) -> str | None:
    """Return the fingerprint of a Python's environment; None if the command is no Python here."""
    try:
        interpreter = look_at_interpreter(command)
        found = {place for shown in interpreter.directories for place in _places(Path(shown.path))}
        packages = {
            entry.name.lower() for place in found for entry in place.iterdir() if entry.suffix in _ENDINGS
        }
    except (StartError, OSError):  # whoever starts it says so better
        return None
    versions = {place.parent.name for place in found}
    text = json.dumps([sorted(versions), sorted(packages)])
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _places(prefix: Path) -> set[Path]:
    if prefix.name in ("site-packages", "dist-packages"):
        return {prefix}
    return {place for pattern in _PLACES for place in prefix.glob(pattern) if place.is_dir()}
