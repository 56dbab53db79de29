"""Where control groups are on this machine, and which of them we may write.

There are two kinds, and hybrid machines have both. Version 2 is one tree; a group hands
controllers down to its children through `cgroup.subtree_control`, and a group that does so may
hold no processes itself (the root excepted). Version 1 has one tree per controller (or per set
of controllers mounted together). A process's own place in each tree is in /proc/self/cgroup;
how a place becomes a path depends on what part of the tree is mounted, as /proc/self/mountinfo says.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from msgspec import Struct

PREFIX = "sandbox-kernel-"
"""How the groups are named that we make: what follows is the launch's name."""


class Tree(Struct, frozen=True):
    """One mounted tree of control groups."""

    version: int
    controllers: frozenset[str]
    """What version 1 says it controls; empty for version 2, where each group says it."""
    mount: Path
    own: Path
    """The directory of our own process's group."""

    def ancestors(self) -> Iterator[Path]:
        """Yield our own group's directory and all above it, up to the mount."""
        yield self.own
        if self.own != self.mount:
            for parent in self.own.parents:
                yield parent
                if parent == self.mount:
                    return


def find_trees(mountinfo: str | None = None, own: str | None = None) -> list[Tree]:
    """Return the trees that are mounted here and that our process is in.

    The texts default to our own process's /proc/self/mountinfo and /proc/self/cgroup.
    """
    text = mountinfo if mountinfo is not None else _read("/proc/self/mountinfo")
    return list(_trees(text, own if own is not None else _read("/proc/self/cgroup")))


@lru_cache(4)  # each launch asks several times, and for the same texts the answer is the same
def _trees(mountinfo: str, own: str) -> tuple[Tree, ...]:
    places = _own_places(own)
    found: dict[tuple[int, frozenset[str]], Tree] = {}
    for line in filter(None, mountinfo.split("\n")):
        tree = _tree(line, places)
        if tree is not None:
            found.setdefault((tree.version, tree.controllers), tree)
    return tuple(found.values())


def _read(path: str) -> str:
    """Return a text with paths in it, which need not be UTF-8: any folder may be mounted somewhere."""
    return Path(path).read_bytes().decode(errors="surrogateescape")


def words(path: Path) -> frozenset[str]:
    """Return the words of a group's file, none where it cannot be read."""
    try:
        return frozenset(path.read_text().split())
    except OSError:
        return frozenset()


def writable(group: Path) -> bool:
    """Tell whether we may make a group below this one and move our processes into it."""
    return os.access(group, os.W_OK | os.X_OK) and os.access(group / "cgroup.procs", os.W_OK)


def _own_places(text: str) -> dict[frozenset[str], PurePosixPath]:
    places = {}
    for line in filter(None, text.split("\n")):
        _, controllers, place = line.split(":", 2)
        places[frozenset(filter(None, controllers.split(",")))] = PurePosixPath(place)
    return places


def _tree(line: str, places: dict[frozenset[str], PurePosixPath]) -> Tree | None:
    """Read one line of mountinfo: … root mountpoint options [optional…] - type source super-options."""
    left, _, right = line.partition(" - ")
    root, mountpoint = left.split(" ")[3:5]
    kind, _, options = right.split(" ", 2)
    if kind not in ("cgroup", "cgroup2"):
        return None
    version = 2 if kind == "cgroup2" else 1
    named = frozenset() if version == 2 else frozenset(options.split(","))
    for controllers, place in places.items():
        belongs = not controllers if version == 2 else bool(controllers) and controllers <= named
        # A place above the root that our namespace shows begins with "/..": there is no path to it.
        if belongs and ".." not in place.parts and place.is_relative_to(root):
            mount = Path(_unescape(mountpoint))
            return Tree(version, controllers, mount, mount / place.relative_to(root))
    return None


def _unescape(text: str) -> str:
    """Undo mountinfo's octal escapes."""
    return text.encode().decode("unicode_escape") if "\\" in text else text
