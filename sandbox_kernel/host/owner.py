"""Whose a directory is: the process that made it, told apart from a later one with its number."""

import contextlib
import os
from pathlib import Path

_FILE = "owner"


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks after boot; 0 if there is none (proc_pid_stat(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, started: int) -> bool:
    """Return whether the process that started then still runs."""
    return started != 0 and start_time(pid) == started


def mark(directory: Path) -> None:
    """Write down that this process owns the directory.

    :raises OSError: it cannot be written.
    """
    here = os.getpid()
    (directory / _FILE).write_text(f"{here} {start_time(here)}", encoding="ascii")


def has_lost_its_owner(directory: Path) -> bool:
    """Return whether the directory's owner is known and gone."""
    with contextlib.suppress(OSError, ValueError):
        pid, started = map(int, (directory / _FILE).read_text(encoding="ascii").split())
        return not is_alive(pid, started)
    return False
