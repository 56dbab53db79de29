"""Where else our interpreter looks for modules than in its own directories.

A project that is worked on is on the search path by a line in a .pth file. When a template begins, Python
imports `sitecustomize` from wherever it finds one, before anything of ours runs. If a sandbox was
allowed to write there, that would be its code, outside of the wall.
"""

import site
from collections.abc import Iterable
from pathlib import Path

from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.engines.paths import is_within


def elsewhere(interpreter: Interpreter) -> frozenset[str]:
    """Return the real directories that .pth files add to our own interpreter's search path."""
    own = [place.real for place in interpreter.directories]
    added = {str(path.resolve()) for path in map(Path, _added()) if path.is_dir()}
    return frozenset(path for path in added if not any(is_within(path, place) for place in own))


def _added() -> Iterable[str]:
    packages = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    for directory in map(Path, packages):
        for file in directory.glob("*.pth"):
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip() and not line.startswith(("import ", "import\t", "#")):
                    yield str(directory / line.strip())


def overlap(places: Iterable[str], writable: Iterable[str]) -> bool:
    """Tell whether something could be written below one of the places."""
    grants = list(writable)
    return any(is_within(place, grant) or is_within(grant, place) for place in places for grant in grants)
