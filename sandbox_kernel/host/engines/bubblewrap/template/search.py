"""Where else our interpreter looks for modules than in its own directories.

A project that is worked on is on the search path by a line in a .pth file. When a template begins, Python
imports `sitecustomize` from wherever it finds one, before anything of ours runs. If a sandbox was
allowed to write there, that would be its code, outside of the wall.
"""

import os
import site
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.engines.paths import follow, is_within


def elsewhere(interpreter: Interpreter) -> frozenset[str]:
    """Return the real directories that .pth files add to our own interpreter's search path.

    And those that they would add if they were there, and the links on the way to them: whoever may write
    where these are decides what is found at their end, at the next launch if not at this one.
    """
    own = [place.real for place in interpreter.directories]
    added = {place for path in _added() if "\0" not in path for place in _places(Path(path))}
    return frozenset(path for path in added if not any(is_within(path, place) for place in own))


def _places(path: Path) -> Iterator[str]:
    yield os.path.realpath(path)
    for part in (path, *path.parents):
        if part.is_symlink():
            yield f"{os.path.realpath(part.parent)}/{part.name}"
            with suppress(OSError):  # it leads nowhere, or in circles
                yield from (link.path for link in follow(str(part))[0])


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
