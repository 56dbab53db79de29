"""Looks at a sandbox's processes from outside, through /proc.

A sandbox is the tree below one process of ours (bubblewrap). Nothing in it can leave the tree:
a daemon that loses its parent is adopted by the sandbox's own process 1, which is in the tree.
Processes come and go while one looks, so every reader answers None or nothing for a process
that has gone. A number in /proc may be a new process by the time it is signalled, so signals
go through pidfds, and only after a second look.

This runs every few milliseconds, in a process that must start in a few: paths are plain strings
(`Path` costs more than the kernel), and what takes long to import is not.
"""

# ruff: noqa: PTH110, PTH123, PTH208

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
STOPS = 0.5
"""Seconds that a process has to heed being stopped, which takes microseconds."""

LISTS_CHILDREN = os.path.exists("/proc/thread-self/children")
"""Most kernels do (CONFIG_PROC_CHILDREN); the others are searched, which takes many times as long."""


class Process(NamedTuple):
    """One process as it was a moment ago."""

    pid: int
    parent: int
    state: str
    """One letter, as ps(1) shows it: R, S, D, T, Z, …"""
    cpu_seconds: float
    """Its own and that of the children it has waited for."""
    started: int
    """Ticks since boot: together with the number, an identity."""


def look(pid: int) -> Process | None:
    """Return what the kernel says about a process, or None where there is none (any more)."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    # The command's name comes second, in parentheses, and may contain any character.
    fields = text.rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Process(pid, int(fields[1]), fields[0], ticks / TICKS, int(fields[19]))


def tree(root: int) -> list[Process]:
    """Return a process and all that descend from it, parents first."""
    found: list[Process] = []
    pending = [root]
    while pending:
        process = look(pending.pop())
        if process is not None:
            found.append(process)
            pending.extend(_children(process.pid))
    return found


def same(process: Process) -> bool:
    """Tell whether a process that was looked at is still there, and not a later one of the same number."""
    now = look(process.pid)
    return now is not None and now.started == process.started


def is_init(pid: int) -> bool:
    """Tell whether a process is number 1 of a pid namespace below ours: its death is the end of all in it."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and numbers[-1] == "1"
    return False


def hides(process: Process) -> bool:
    """Tell whether a process keeps its memory from being seen.

    One way is to end the first thread while others go on: /proc then shows no memory, and a signal
    is thought to be in vain. The other is PR_SET_DUMPABLE 0: its open files cannot be listed.
    """
    try:
        if process.state in "ZX":
            return len(os.listdir(f"/proc/{process.pid}/task")) > 1
        os.listdir(f"/proc/{process.pid}/fd")
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def resident(pid: int) -> int:
    """Return the bytes that a process holds in memory; pages that it shares count in full."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def proportional(pid: int) -> tuple[int, int]:
    """Return the bytes that a process holds, and how many of these belong to memory files.

    Each shared page is divided among its sharers. Exact, but the kernel walks the whole address
    space for it. Falls back to `resident` where the kernel does not let us look.
    """
    sizes = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in _read(f"/proc/{pid}/smaps_rollup").splitlines())
        if name in ("Pss", "Pss_Shmem")
    }
    return sizes.get("Pss", 0) or resident(pid), sizes.get("Pss_Shmem", 0)


def send(process: Process, signum: int) -> bool:
    """Signal the very process that was looked at, and no later one of the same number."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if same(process):
                signal.pidfd_send_signal(descriptor, signum)
                return True
        finally:
            os.close(descriptor)
    return False


def kill_tree(root: Process) -> None:
    """Kill a sandbox: its process 1 first, which takes all others along, then the rest.

    Its root is stopped before: what it forked after we have looked would be nobody's, and bubblewrap's child
    waits for its parent's word without end where that has died before it was said.
    """
    if send(root, signal.SIGSTOP):
        _await_stop(root)
    processes = tree(root.pid) if same(root) else []
    for process in processes:
        if is_init(process.pid):
            send(process, signal.SIGKILL)
    for process in processes:
        send(process, signal.SIGKILL)


def _await_stop(process: Process) -> None:
    """Wait until a process has stopped, or ended; a little, if it is held up in the kernel."""
    until = time.monotonic() + STOPS
    while (now := look(process.pid)) and now.state not in "TtZX" and time.monotonic() < until:
        time.sleep(0.0002)


def _children(pid: int) -> Iterable[int]:
    return _listed_children(pid) if LISTS_CHILDREN else _searched_children(pid)


def _listed_children(pid: int) -> Iterator[int]:
    """Yield the children of every thread of a process, as the kernel lists them."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in _read(f"/proc/{pid}/task/{thread}/children").split():
                yield int(child)


def _searched_children(pid: int) -> list[int]:
    """Return a process's children where the kernel lists none: those of all processes that name it."""
    everyone = (look(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [process.pid for process in everyone if process is not None and process.parent == pid]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
