"""The process that cleans up after a host that was killed.

It runs beside the host, holds the other end of a pipe and does nothing but read: a line
per thing to clear, `+name<TAB>directory<TAB>daemon` when it comes to be and `-name` when it is gone. A
name stands for cgroups called sandbox-kernel-name, and for a container of that name where a daemon
is named, by its socket; directory and daemon may be empty.
End of file means that the host is gone, however it went. Then every name still noted is
cleared: its processes are already dying (their own end of file, PR_SET_PDEATHSIG), so what
remains is to kill stragglers through their cgroups and remove cgroups and directories, and
containers that were made and not started, which end with nobody's input.

Standard library only, started with `-I -S`: it must cost little and depend on nothing.
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PREFIX = "sandbox-kernel-"
PATIENCE = 30.0
"""Seconds to wait for processes that do not die at once (a core in uninterruptible sleep)."""

CGROUPS = Path("/sys/fs/cgroup")


LATE = (0.0, 0.5, 1.5, 1.5)
"""Seconds before each order to a daemon: the host may have died in the middle of having a container made."""


def watch(lines: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return what is still noted when the input ends: directory and daemon by name."""
    noted: dict[str, tuple[str, str]] = {}
    for line in lines:
        name, _, rest = line[1:].rstrip("\n").partition("\t")
        directory, _, daemon = rest.partition("\t")
        if line.startswith("+"):
            noted[name] = (directory, daemon)
        else:
            noted.pop(name, None)
    return noted


def clear(noted: dict[str, tuple[str, str]]) -> None:
    """Remove the directories, cgroups and containers of every name."""
    for directory in filter(None, (directory for directory, _ in noted.values())):
        shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: others use it
            Path(directory).parent.rmdir()
    until = time.monotonic() + PATIENCE
    while noted and (left := _cgroups(noted)) and time.monotonic() < until:
        for path in left:
            _end(path)
        time.sleep(0.02)
    contained = [(daemon, name) for name, (_, daemon) in noted.items() if daemon]
    for pause in LATE if contained else ():
        time.sleep(pause)
        for daemon, name in contained:
            _remove_container(daemon, name)


def _remove_container(daemon: str, name: str) -> None:
    """Order a daemon to remove a container; most have removed themselves, and that is fine."""
    path = f"/containers/{PREFIX}{name}?force=1&v=1"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(daemon)
        connection.sendall(f"DELETE {path} HTTP/1.0\r\nHost: daemon\r\n\r\n".encode())
        connection.recv(1)  # the answer begins when it is done


def _cgroups(names: Iterable[str]) -> list[Path]:
    wanted = {PREFIX + name for name in names}
    return [Path(path, name) for path, folders, _ in os.walk(CGROUPS) for name in folders if name in wanted]


def _end(path: Path) -> None:
    with contextlib.suppress(OSError):  # busy until its processes are gone: the caller tries again
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
        path.rmdir()


if __name__ == "__main__":
    clear(watch(sys.stdin))
