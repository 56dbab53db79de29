"""A folder and those in it, which may be a stranger's: deeper than Python calls itself or a path can name."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENAMETOOLONG
from pathlib import Path
from typing import Final

DEEPEST: Final = 64
"""Folders below one another: what people sort by hand has ten, what programs unpack some thirty."""


def walk(
    top: Path,
    *,
    refused: Callable[[OSError], object] = lambda _: None,
    too_deep: Callable[[Path], object] = lambda _: None,
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder with the names of the folders and of the files in it, as `os.walk` does.

    Names that are taken out of the first list are not looked into, nor are links.

    :param refused: told of each folder that cannot be read.
    :param too_deep: told of each that is further down than DEEPEST, or has too long a path; it is left out.
    """
    waiting = [(top, 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > DEEPEST:
            too_deep(folder)
            continue
        try:
            below, links, names = _names(folder)
        except OSError as error:
            if error.errno == ENAMETOOLONG:
                too_deep(folder)
            else:
                refused(error)
            continue
        yield folder, below, names
        waiting += [(folder / name, depth + 1) for name in reversed(below) if name not in links]


def _names(folder: Path) -> tuple[list[str], set[str], list[str]]:
    """Return the names of folders, of those among them that are links to one, and of all else."""
    below: list[str] = []
    links: set[str] = set()
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = False
            with suppress(OSError):  # a link that leads in circles, say
                is_folder = entry.is_dir()
            (below if is_folder else names).append(entry.name)
            if is_folder and entry.is_symlink():
                links.add(entry.name)
    return below, links, names
