"""Questions about paths that are answered by their text, and one that needs the file system."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

MOST_LINKS = 40
"""As many symbolic links as Linux itself follows before it gives up."""


class Link(NamedTuple):
    """A symbolic link and what it says."""

    path: str
    to: str


class Shown(NamedTuple):
    """Where a directory is seen inside, and where it really is."""

    path: str
    real: str


def is_below(path: str, directory: str) -> bool:
    """Say whether a path lies strictly below a directory."""
    return path != directory and path.startswith(directory.rstrip("/") + "/")


def is_within(path: str, directory: str) -> bool:
    """Say whether a path is a directory or lies below it."""
    return path == directory or is_below(path, directory)


def depth(path: str) -> int:
    """Return how many names a path has: 0 for the root."""
    return len([name for name in path.split("/") if name])


def between(directory: str, path: str) -> list[str]:
    """Return the directories strictly below `directory` and strictly above `path`, topmost first."""
    above = [str(parent) for parent in Path(path).parents]
    return [parent for parent in reversed(above) if is_below(parent, directory)]


def follow(path: str) -> tuple[list[Link], str]:
    """Return every symbolic link on the way to what a path means, and where the way ends.

    :raises OSError: the path does not exist, or its links go round in circles.
    """
    links: list[Link] = []
    done, todo = "/", [name for name in path.split("/") if name]
    while todo:
        name = todo.pop(0)
        if name in {".", ".."}:
            done = os.path.normpath(f"{done}/{name}")
            continue
        here = f"{done.rstrip('/')}/{name}"
        if not stat.S_ISLNK(os.lstat(here).st_mode):
            done = here
            continue
        if len(links) >= MOST_LINKS:
            raise OSError(f"too many symbolic links on the way to {path}")
        to = str(Path(here).readlink())
        links.append(Link(here, to))
        done = "/" if to.startswith("/") else done
        todo = [part for part in to.split("/") if part] + todo
    return links, done
