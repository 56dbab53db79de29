"""How much memory a sandbox holds, as far as one can see from outside.

Three parts: what its processes have mapped; memory files (memfd) that they hold open; and what
lies in its own tmpfs mounts. A memory file may be mapped as well, so the larger of the two views
of such files counts. Unseen remain: data in sockets and pipes, memory files on their way through
a socket, and System V segments that nobody is attached to.

Paths are plain strings here, as in `processes`, for speed.
"""

# ruff: noqa: PTH115, PTH116, PTH123

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox_kernel.host.engines.bubblewrap.limits.processes import Process, proportional, resident

BLOCK = 512
"""The unit of st_blocks, on every Linux file system."""


class Footprint(NamedTuple):
    """Memory in bytes."""

    by_process: dict[Process, int]
    """What would be gained by killing each, memory files aside."""
    files: int

    @property
    def total(self) -> int:
        """Return all of it."""
        return sum(self.by_process.values()) + self.files


def estimate(processes: Sequence[Process]) -> int:
    """Return, quickly, no less than `measure` would: what is shared counts for each who shares it."""
    return sum(resident(process.pid) for process in processes) + _files(processes)


def measure(processes: Sequence[Process]) -> Footprint:
    """Return the exact sizes: shared pages divided among those who share them."""
    sizes = {process: proportional(process.pid) for process in processes}
    mapped_files = sum(files for _, files in sizes.values())
    return Footprint(
        {process: held - files for process, (held, files) in sizes.items()},
        max(mapped_files, _files(processes)),
    )


def _files(processes: Sequence[Process]) -> int:
    """Return the size of all memory files, each counted once."""
    open_files: dict[tuple[int, int], int] = {}
    for process in processes:
        open_files.update(_memory_files(process.pid))
    return sum(open_files.values()) + _tmpfs(processes)


def _memory_files(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield the identity and size of each memory file that a process holds open."""
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # closed meanwhile: that must not hide those behind it
                if os.readlink(entry.path).startswith("/memfd:"):
                    status = os.stat(entry.path)
                    yield (status.st_dev, status.st_ino), status.st_blocks * BLOCK


def _tmpfs(processes: Sequence[Process]) -> int:
    """Return what lies in the sandbox's tmpfs mounts, as the first process that shows them sees it.

    Mounts of the same file system on our own side are not the sandbox's: a directory that it was
    granted, or the time before it has left our mounts.
    """
    ours = set(_tmpfs_mounts(os.getpid()))
    for process in reversed(processes):
        theirs = {device: place for device, place in _tmpfs_mounts(process.pid).items() if device not in ours}
        if theirs:
            return sum(_used(f"/proc/{process.pid}/root{place}") for place in theirs.values())
    return 0


def _tmpfs_mounts(pid: int) -> dict[str, str]:
    """Return the tmpfs mounts that a process sees, by device."""
    found: dict[str, str] = {}
    # Names are bytes to Linux: one that is no UTF-8 is somebody's folder, and no reason to stop looking.
    with (
        contextlib.suppress(OSError),
        open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as lines,
    ):
        for line in lines:
            left, _, right = line.partition(" - ")
            if right.startswith("tmpfs "):
                fields = left.split()
                found.setdefault(fields[2], fields[4])
    return found


def _used(place: str) -> int:
    try:
        status = os.statvfs(place)
    except OSError:
        return 0
    return (status.f_blocks - status.f_bfree) * status.f_frsize
