"""Doors in what is granted: sockets and named pipes that lead to programs of the host.

Neither a read-only mount nor a network namespace keeps code from connecting to a socket that
it sees: an agent with keys, a container engine, an editor's or git's own helper. So each that
is found is covered. Two looks, for each misses something:

- the kernel's list of sockets with a name, which has those of any depth, but none that was
  bound by a relative name or in another network namespace;
- a walk through the granted directories, nearest first, that stops after MOST_ENTRIES names.

What is made later, or is missed by both, stays open: .github/SECURITY.md says so.
"""

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.grants import Grant
from sandbox_kernel.host.engines.paths import between, is_below

MOST_ENTRIES: Final = 20_000
"""Names that the walk through one grant looks at: 30 ms."""

MOST_DOORS: Final = 64
"""Covers cost a mount and a descriptor each; a folder with more is no folder of notebooks."""

NAMED_SOCKETS: Final = Path("/proc/net/unix")


def find_doors(grants: Sequence[Grant], environments: Iterable[str]) -> tuple[str, ...]:
    """Return the real paths of sockets and named pipes in what is granted or shown as an environment.

    :raises WorkspaceError: a grant holds too many of them.
    """
    shown = tuple(dict.fromkeys(environments))
    named = list(_named_sockets())
    doors = dict.fromkeys(path for path in named if any(is_below(path, place) for place in shown))
    for grant in grants:
        inside = dict.fromkeys(
            path for path in (*named, *_walk(grant.real, shown)) if is_below(path, grant.real)
        )
        reached = [path for path in inside if _is_door(path) and _is_reached(path, grant)]
        if len(reached) > MOST_DOORS:
            raise WorkspaceError(
                f"{grant.path} holds more than {MOST_DOORS} sockets and named pipes, "
                f"which lead out of a sandbox; remove them, or share a folder without them."
            )
        doors |= dict.fromkeys(reached)
    return tuple(path for path in doors if _is_door(path))


def _named_sockets() -> Iterator[str]:
    """Yield the real paths of sockets that are bound to an absolute name."""
    real: dict[str, str] = {}  # a server of kernels has hundreds in one directory
    for line in NAMED_SOCKETS.read_text(errors="surrogateescape").splitlines()[1:]:
        name = line.split(maxsplit=7)[7:]
        if name and name[0].startswith("/"):
            directory, _, last = name[0].rpartition("/")
            if directory not in real:
                real[directory] = os.path.realpath(directory or "/").rstrip("/")
            yield f"{real[directory]}/{last}"


def _walk(top: str, environments: Sequence[str]) -> Iterator[str]:
    """Yield what is neither file, directory nor link below a directory, nearest first; follows no link."""
    todo, left = deque([top]), MOST_ENTRIES
    while todo and left > 0:
        try:
            with os.scandir(todo.popleft()) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        todo.extend([entry.path] if entry.path not in environments else [])
                    elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                        yield entry.path
        except OSError:  # not ours to read, or gone: then nobody inside reads it either
            continue


def _is_door(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


def _is_reached(path: str, grant: Grant) -> bool:
    """Say whether the sandbox gets as far as the directory of a path; an engine can cover no other.

    Inside, root's sandbox is the owner of the grant, and nobody else.
    """
    if os.geteuid() != 0:
        return os.access(Path(path).parent, os.X_OK)
    return all(_may_search(Path(place).stat(), grant) for place in between(grant.real, path))


def _may_search(status: os.stat_result, grant: Grant) -> bool:
    if status.st_uid == grant.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == grant.gid else stat.S_IXOTH))
