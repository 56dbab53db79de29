"""A place for our groups where systemd owns the tree: a scope that it hands over to us.

Most users' processes sit in groups that hold processes and that systemd manages, so we may make
none of our own around there; what we switched on, systemd would switch off again. The way that
it offers is a transient scope with Delegate=yes: a group below which everything is ours. One is made
per host process, when the first sandbox starts. A scope lives as long as it holds a process, so it
holds one (cat, waiting for its input to end) that ends with us, however we end; systemd
then removes the scope and all that is left below it.

A process from outside of what systemd has handed to the user (a login over ssh, say) cannot be moved
in by the user; systemd does that on request.

Nothing here is done by importing: the scope is made by the first `open`.
"""

import atexit
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.bubblewrap.limits import group
from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree, find_trees, words

BOOTED: Final = Path("/run/systemd/system")
"""There when systemd is the init of this machine."""
PATIENCE: Final = 10.0
"""Seconds for what systemd does in hundredths of one."""
INFINITY: Final = str((1 << 64) - 1)
PROPERTIES: Final = (
    ("Description", "s", "Sandboxes of sandbox-kernel"),
    ("Delegate", "b", "true"),
    ("CollectMode", "s", "inactive-or-failed"),
    ("TasksMax", "t", INFINITY),
)
NO_POLICY: Final = ("OOMPolicy", "s", "continue")
"""Since version 253 systemd ends a whole scope, and so all sandboxes, when the kernel kills one process
in it for memory. Before, it does not, and does not know the property either."""


class Manager:
    """systemd's manager for our user (for root: the system's), as far as it is at hand."""

    def __init__(self, uid: int) -> None:
        self._uid = uid
        runtime = f"/run/user/{uid}"
        self._bus = "/run/dbus/system_bus_socket" if uid == 0 else f"{runtime}/bus"
        self._which = "--system" if uid == 0 else "--user"
        self._environment = {"PATH": os.defpath, "XDG_RUNTIME_DIR": runtime}

    def controllers(self, tree: Tree) -> frozenset[str]:
        """Return what a scope's groups could use; nothing where there is no manager to ask."""
        if not (BOOTED.is_dir() and Path(self._bus).exists() and shutil.which("busctl", path=os.defpath)):
            return frozenset()
        users = f"user.slice/user-{self._uid}.slice/user@{self._uid}.service"
        return words(tree.mount / ("" if self._uid == 0 else users) / "cgroup.controllers")

    def start_scope(self, unit: str, pid: int) -> None:
        """Have a scope made around a process.

        :raises LimitUnenforceableError: systemd refuses.
        """
        properties = [*PROPERTIES, ("PIDs", "au", f"1 {pid}")]
        try:
            self._start([*properties, NO_POLICY], unit)
        except LimitUnenforceableError:
            self._start(properties, unit)

    def attach(self, unit: str, below: str, pid: int) -> None:
        """Have a process moved into a group below a scope.

        :raises LimitUnenforceableError: systemd refuses.
        """
        self._call("AttachProcessesToUnit", "ssau", unit, f"/{below}", "1", str(pid))

    def _start(self, properties: Sequence[tuple[str, str, str]], unit: str) -> None:
        flat = [part for name, kind, value in properties for part in (name, kind, *_parts(kind, value))]
        self._call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", str(len(properties)), *flat, "0")

    def _call(self, method: str, *arguments: str) -> None:
        manager = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
        command = [
            "busctl",
            self._which,
            f"--timeout={PATIENCE:g}",
            "call",
            "--",
            *manager,
            method,
            *arguments,
        ]
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise LimitUnenforceableError(f"systemd does not do {method}: {done.stderr.strip()}")


class Scope:
    """The scope of this process, made when it is first needed."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def open(self) -> Path:
        """Return the group below which ours go.

        :raises LimitUnenforceableError: systemd refuses.
        """
        with self._lock:
            if self._held is None or not self._held.lives():
                self._held = _make(self._manager)
            return self._held.directory

    def move(self, pid: int, directory: Path) -> None:
        """Put a process into a group below the scope.

        :raises LimitUnenforceableError: neither the kernel nor systemd does it.
        """
        try:
            group.move(pid, directory)
        except LimitUnenforceableError:
            self._manager.attach(directory.parent.name, directory.name, pid)
            if pid not in group.members(directory):
                raise


class _Held(Struct, frozen=True):
    """A scope that was made, and what holds it."""

    directory: Path
    holder: subprocess.Popen[bytes]
    owner: int
    """The process that made it: after a fork it is not the child's."""

    def lives(self) -> bool:
        """Tell whether it can be used."""
        return self.owner == os.getpid() and self.holder.poll() is None and self.directory.is_dir()


def _make(manager: Manager) -> _Held:
    # A session of its own: a terminal's Ctrl-C is not for it.
    holder = subprocess.Popen(
        ["/bin/cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )
    owner = os.getpid()
    unit = f"sandboxes-{owner}-{secrets.token_hex(4)}.scope"
    try:
        directory = _fill(manager, unit, holder.pid)
    except BaseException:  # else one holder more would stay with each launch that is tried
        _let_go(holder, owner)
        raise
    atexit.register(_let_go, holder, owner)
    return _Held(directory, holder, owner)


def _fill(manager: Manager, unit: str, pid: int) -> Path:
    manager.start_scope(unit, pid)
    directory = _wait_for(unit, pid)
    # A group that hands controllers down may hold no process itself.
    with group.made([directory / "holder"]):
        group.move(pid, directory / "holder")
    group.hand_down(directory, words(directory / "cgroup.controllers"))
    return directory


def _let_go(holder: subprocess.Popen[bytes], owner: int) -> None:
    """End a scope's holder; the scope ends with the last sandbox in it."""
    if owner == os.getpid():
        holder.kill()
        holder.communicate()


def _wait_for(unit: str, pid: int) -> Path:
    """Return a scope's directory once systemd has moved a process there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = Path(f"/proc/{pid}/cgroup").read_text()
        for tree in find_trees(own=text):
            if tree.version == 2 and tree.own.name == unit:
                return tree.own
        time.sleep(0.002)
    raise LimitUnenforceableError(f"systemd did not make the scope {unit} within {PATIENCE:g} s.")


def _parts(kind: str, value: str) -> list[str]:
    """Return a value's words for busctl: arrays are written as a count and elements."""
    return value.split() if kind.startswith("a") else [value]
