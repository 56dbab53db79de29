"""What somebody may have meant by a name that is not there."""

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

MOST: Final = 5000
"""Names that are looked at, a tenth of a second: the folder may be a stranger's."""
SUFFIXES: Final = (".ipynb", ".py")


def reason(error: OSError, path: Path) -> str:
    """Return, as a sentence's end, why a notebook cannot be read; if it is not there, which one was meant.

    Names are compared without what follows the last dot: `p.ipnyb` is `p.ipynb`, and `b.ipynb` no `a.ipynb`.
    """
    said = error.strerror or "it cannot be read"
    if not isinstance(error, FileNotFoundError):
        return f"{said}."
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, MOST) if entry.name.endswith(SUFFIXES)]
    except OSError:
        return f"{said}."
    by_stem = {PurePath(name).stem: name for name in sorted(names, reverse=True)}
    near = get_close_matches(path.stem, by_stem, n=1, cutoff=0.75)
    return f"{said}; did you mean {path.with_name(by_stem[near[0]])}?" if near else f"{said}."
