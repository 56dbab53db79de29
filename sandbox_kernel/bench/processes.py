"""What processes cost: CPU time and memory, read from /proc."""

import time
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_kernel.bench.unmeasured import UnmeasuredError

_PROC: Final = Path("/proc")
_TICKS: Final = 100
"""USER_HZ, which is 100 on every architecture that Linux tells programs of."""

_KEEPERS: Final = ("containerd-shim", "conmon")
"""Programs that stand between a daemon and a container, one for each: their memory is the container's."""

_COUNTED: Final = (0, 1, 2, 5, 6, 7)
"""Of the first line of /proc/stat: user, nice, system, irq, softirq, steal. Not idle, nor waiting."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of some processes."""

    shared_out: int
    """Each page divided by those who share it (PSS)."""
    private: int
    """Pages that nobody shares."""


def machine_cpu() -> float:
    """Return the CPU seconds that the whole machine has used: daemons work for a container as well."""
    words = (_PROC / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(int(words[index]) for index in _COUNTED) / _TICKS


def own_cpu() -> float:
    """Return the CPU seconds of this process, all of its threads."""
    return time.process_time()


def available_memory() -> int:
    """Return the bytes that programs can still have without pushing others out."""
    for line in (_PROC / "meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def everyone() -> dict[int, int]:
    """Return every process that there is, and its parent."""
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it ended meanwhile
                continue
            found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def tree(roots: Iterable[int], parents: dict[int, int] | None = None) -> set[int]:
    """Return these processes and all that descend from them."""
    parents = everyone() if parents is None else parents
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    found, waiting = set(), [pid for pid in roots if pid in parents]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children[pid]
    return found


def name_of(pid: int) -> str:
    """Return what a process is called; empty once it has gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def command_of(pid: int) -> str:
    """Return a process's command line; empty once it has gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def named(name: str) -> set[int]:
    """Return the processes that call themselves so, in whatever container they are."""
    return {pid for pid in everyone() if name_of(pid) == name}


def container_of(pid: int) -> int:
    """Return the program that keeps the container of a process; the process itself where there is none."""
    parents, at = everyone(), pid
    while at > 1:
        if name_of(at).startswith(_KEEPERS):
            return at
        at = parents.get(at, 0)
    return pid


def memory_of(pids: AbstractSet[int]) -> Memory:
    """Return what these processes hold together; those that have ended hold nothing.

    :raises UnmeasuredError: this user may not look at one of them.
    """
    shared_out = private = 0
    for pid in pids:
        try:
            text = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii", errors="replace")
        except PermissionError as error:
            raise UnmeasuredError(
                f"this user may not see the memory of {name_of(pid)!r}; root may"
            ) from error
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            name, kib = line.split(":")[0], int(line.split()[1])
            shared_out += kib if name == "Pss" else 0
            private += kib if name in ("Private_Clean", "Private_Dirty") else 0
    return Memory(shared_out << 10, private << 10)
