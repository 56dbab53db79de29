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
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon, RefusedError
from sandbox_kernel.host.owner import is_alive, start_time

KERNEL: Final = "org.sandbox-kernel.kernel"
OWNER: Final = "org.sandbox-kernel.owner"
BOOT: Final = "org.sandbox-kernel.boot"
MACHINE: Final = "org.sandbox-kernel.machine"

SWEPT_WITHIN: Final = 2.0
"""Seconds that a sweep waits for removals: a program's first launch waits for the sweep."""

PURSUED: Final = 60.0
"""Seconds in which removals are tried again in the background: a daemon that is restarted is back in less.
What is left then is tried at the next launch, or falls to another program's sweep when this one has ended."""

PAUSE: Final = 5.0
"""Seconds between two tries, at most; the first come quicker."""


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


def bury(daemon: Daemon, container: str) -> bool:
    """Order a container's removal, and look whether it is gone.

    What a daemon answers to the order does not tell: some answer before it is done, and one that says
    that it is being removed already may fail at that, or die, and leave a `dead` container behind.

    :raises SandboxError: the daemon does not answer, or will not say.
    """
    with contextlib.suppress(RefusedError):  # it ended at that moment, it is held open: look, and ask again
        daemon.remove(container)
    return daemon.inspect(container) is None


def sweep(daemon: Daemon) -> list[str]:
    """Remove the containers of hosts that are gone; return what those were called that are gone now.

    What is not gone after SWEPT_WITHIN is gone on with in the background.
    """
    left = {str(found["Id"]): _name(found) for found in daemon.containers(OWNER) if _is_to_go(daemon, found)}
    removed = []
    until, pause = time.monotonic() + SWEPT_WITHIN, 0.02
    while True:
        for container in list(left):
            with contextlib.suppress(SandboxError):  # not yet
                if bury(daemon, container):
                    removed.append(left.pop(container))
        if not left or time.monotonic() > until:
            UNDONE.hand_over(daemon.address, *left)
            return removed
        time.sleep(pause)
        pause = min(pause * 2, 0.5)


def _is_to_go(daemon: Daemon, found: Mapping[str, Any]) -> bool:
    """Say whether a listed container is left behind, and there: a Docker that was killed may list ghosts."""
    return is_left(found.get("Labels") or {}) and daemon.inspect(str(found["Id"])) is not None


class Undone:
    """Containers that are to be removed, and that nobody has seen gone yet.

    A daemon may not answer, may die in the middle of a removal, or fail at one. So what is noted
    stays until a look shows that it is gone: at the next launch, and for a while in the background.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, Address] = {}
        self._threads: dict[str, threading.Thread] = {}
        os.register_at_fork(after_in_child=self.abandon)

    def note(self, address: Address, container: str) -> None:
        """Remember a container of the daemon at that address."""
        with self._lock:
            self._left[container] = address

    def left(self, url: str | None = None) -> list[str]:
        """Return what is not known to be gone from the daemon at that url, by default from any."""
        with self._lock:
            return self._at(url)

    def _at(self, url: str | None) -> list[str]:
        return [container for container, address in self._left.items() if url in (None, address.url)]

    def catch_up(self, daemon: Daemon) -> None:
        """Try once to remove what is left at a daemon that answers; what stays is gone on with."""
        self._try(daemon)
        self.hand_over(daemon.address)

    def hand_over(self, address: Address, *containers: str) -> None:
        """Remember more containers, and have all that is left there removed in the background."""
        with self._lock:
            self._left |= dict.fromkeys(containers, address)
            running = self._threads.get(address.url)
            if not self._at(address.url) or (running is not None and running.is_alive()):
                return
            thread = threading.Thread(
                target=self._pursue, args=(address,), name="sandbox-burial", daemon=True
            )
            self._threads[address.url] = thread
            with contextlib.suppress(RuntimeError):  # the interpreter ends: another program's sweep takes it
                thread.start()

    def _pursue(self, address: Address) -> None:
        until, pause = time.monotonic() + PURSUED, 0.1
        while True:
            time.sleep(pause)
            pause = min(pause * 2, PAUSE)
            with contextlib.suppress(SandboxError), contextlib.closing(Daemon(address)) as daemon:
                self._try(daemon)
            with self._lock:
                if not self._at(address.url) or time.monotonic() > until:
                    del self._threads[address.url]
                    return

    def _try(self, daemon: Daemon) -> None:
        for container in self.left(daemon.address.url):
            with contextlib.suppress(SandboxError):  # not yet
                if bury(daemon, container):
                    with self._lock:
                        self._left.pop(container, None)

    def abandon(self) -> None:
        """In a forked child: what is undone is the parent's to do, and a lock of its threads is nobody's."""
        self._lock = threading.Lock()
        self._left, self._threads = {}, {}


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
