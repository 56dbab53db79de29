"""Whose a container is, so that what a host left behind is known from what another host needs.

A container ends by itself when its host does: its input ends. What can be left is one that was
made and never started, or that a daemon which was killed at the same time has not buried.

The labels name the host's machine, the boot, the pid namespace, and the process with its start
time. Only what this machine made is judged, and only processes that can be seen from here.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.owner import is_alive, start_time

KERNEL: Final = "org.sandbox-kernel.kernel"
OWNER: Final = "org.sandbox-kernel.owner"
BOOT: Final = "org.sandbox-kernel.boot"
MACHINE: Final = "org.sandbox-kernel.machine"


def labels(name: str) -> dict[str, str]:
    """Return the labels of a container that this process makes for a launch."""
    here = os.getpid()
    owner = f"{here}:{start_time(here)}:{_pid_namespace()}"
    return {KERNEL: name, OWNER: owner, BOOT: _boot(), MACHINE: _machine()}


def is_left(found: Mapping[str, str]) -> bool:
    """Say whether the host that made a container with these labels is gone for certain."""
    if found.get(MACHINE) != _machine():
        return False
    if found.get(BOOT) != _boot():
        return True
    with contextlib.suppress(ValueError):
        pid, started, namespace = found.get(OWNER, "").split(":", 2)  # whose name has a colon
        return namespace == _pid_namespace() and not is_alive(int(pid), int(started))
    return False


def sweep(daemon: Daemon) -> list[str]:
    """Remove the containers of hosts that are gone; return what they were called."""
    removed = []
    for found in daemon.containers(OWNER):
        if is_left(found.get("Labels") or {}):
            with contextlib.suppress(SandboxError):  # it goes by itself, or the next sweep takes it
                daemon.remove(str(found["Id"]))
                removed.append(_name(found))
    return removed


class Undone:
    """Containers of this process that could not be removed, because their daemon did not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: set[tuple[str, str]] = set()

    def note(self, daemon: str, container: str) -> None:
        """Remember a container of the daemon at that url."""
        with self._lock:
            self._left.add((daemon, container))

    def catch_up(self, daemon: Daemon) -> None:
        """Remove what is left at a daemon that answers again."""
        with self._lock:
            due = {entry for entry in self._left if entry[0] == daemon.address.url}
            self._left -= due
        for url, container in due:
            try:
                daemon.remove(container)
            except SandboxError:  # not yet; the launch that brought us here will say what is wrong
                self.note(url, container)


UNDONE: Final = Undone()
"""The one of this process."""


def _name(found: Mapping[str, Any]) -> str:
    return f"container {next(iter(found.get('Names') or ()), found['Id']).lstrip('/')}"


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def _machine() -> str:
    """Return a name for this machine that does not give its own away; its kernel's, if it has no id."""
    known = _read("/etc/machine-id") or _boot()
    return hashlib.sha256(f"sandbox-kernel {known}".encode()).hexdigest()[:16]


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
