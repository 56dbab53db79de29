"""Which submissions are meant: files as they are named, and the scripts and notebooks in folders."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from sandbox_kernel.checks.many import Entry
from sandbox_kernel.checks.submission import SUFFIXES
from sandbox_kernel.errors import ChecksError
from sandbox_kernel.notebooks.walk import walk

MAX_SUBMISSIONS: Final = 20_000
"""At once: more than the largest course has, and few enough to be held."""


def find_submissions(
    named: Sequence[str], left_out: Callable[[Path], object] = lambda _: None
) -> list[Entry]:
    """Return the submissions, in the order in which they are named, those of a folder by their names.

    A folder's hidden files, and those in hidden folders, are nobody's submission. A link in it is one, that
    will be refused: whoever handed it in would have us read what it leads to.

    :param left_out: told of each folder that is not looked into: it is too far down, or cannot be read.
    :raises ChecksError: something is not there, or there is no submission, or there are too many.
    """
    entries: dict[str, Entry] = {}
    for name in named:
        path = Path(name)
        if path.is_dir():
            found = [Entry(one, str(one)) for one in islice(_in_folder(path, left_out), MAX_SUBMISSIONS + 1)]
            if not found:
                raise ChecksError(f"there is no script (.py) and no notebook (.ipynb) in {name}.")
        elif path.exists():
            found = [Entry(path.resolve(), name)]
        else:
            raise ChecksError(f"there is no file or folder {name}.")
        entries |= {entry.name: entry for entry in found}
        if len(entries) > MAX_SUBMISSIONS:
            raise ChecksError(f"there are more than {MAX_SUBMISSIONS} submissions; name them in parts.")
    return list(entries.values())


def _in_folder(folder: Path, left_out: Callable[[Path], object]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        left_out(Path(error.filename or folder))

    for parent, below, names in walk(folder, refused=refused, too_deep=left_out):
        below[:] = sorted(name for name in below if not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield parent / name
