"""The way of a fork into a sandbox, and the walls that it raises around itself there."""

from __future__ import annotations

import ctypes
import importlib
import marshal
import os
import signal
import socket
import struct
import sys
from typing import Any

from .calls import LeftError, checked, libc, prctl, set_capabilities

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2

SAME = (
    "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
    "Seccomp_filters",
)  # fmt: skip
"""Lines of /proc/PID/status in which a kernel must be like the process that bubblewrap started."""


MOST = 1 << 18
"""Bytes of the host's word: a filter of system calls has 10 KiB, Landlock's rules 2 KiB."""


def enter(nursery: socket.socket, word: socket.socket) -> None:
    """Become a child of the sandbox's PID 1, behind the same walls; return in that process.

    The host's word says which walls. It is for this process alone: it names folders of somebody's, and
    what the template had once held, its later forks could find in their memory. The socket that it came by
    stays open until all is well: what is wrong, the host is to hear as well, or it would try for ever.

    Until all walls stand nobody may look into this process, or change it: should it come so late that the
    guest has started another kernel, that one is of the same user, and could make this one do its work.

    :raises LeftError: the sandbox is not as it should be.
    :raises OSError: the kernel refuses.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    said = word.recv(MOST)
    if not said:  # the host has given up
        os._exit(0)
    request: dict[str, Any] = marshal.loads(said)  # noqa: S302 - from our own host
    kinds = os.listdir("/proc/self/ns")
    prctl(PR_SET_DUMPABLE, 0)
    if request["uid"] is not None:
        _give_up_root(request["uid"])
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # becoming somebody else has undone it
    _join(nursery, request["namespaces"])
    held = _move_in()
    _compare_namespaces(kinds)
    _lose_privileges()
    _raise_second_wall(request["landlock"])
    _load_filter(request["seccomp"])
    _compare_walls()
    word.close()
    prctl(PR_SET_DUMPABLE, 1)  # as after an exec
    os.close(held)
    while os.getppid() != 1:
        os.sched_yield()  # the one in between has nothing to do but end


def _give_up_root(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _join(nursery: socket.socket, namespaces: int) -> None:
    """Enter the namespaces of the process whose own pidfd the guest sends: no number to be reused."""
    said, fds, _, _ = socket.recv_fds(nursery, 16, 1)
    if not said:
        os._exit(0)  # the sandbox has gone, or never came
    if not fds:
        raise LeftError("the guest sent no descriptor")
    checked(libc.setns(fds[0], namespaces), "setns")
    os.close(fds[0])


def _move_in() -> int:
    """Become a process of the entered pid namespace; an orphan there, PID 1's child, once this is closed.

    Not before it can be looked at: a watchdog kills what is below PID 1 and hides.
    """
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
    waiting, held = os.pipe()
    if os.fork():
        os.close(held)
        os.read(waiting, 1)
        os._exit(0)
    os.close(waiting)
    return held


def _compare_namespaces(kinds: list[str]) -> None:
    """Make sure that this process is in every namespace that PID 1 is in, while it may still look."""
    for name in kinds:
        if os.readlink(f"/proc/1/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"):
            raise LeftError(f"it is not in the {name} namespace of PID 1")


def _lose_privileges() -> None:
    """Drop every capability, those of the namespaces too, and the way to get any back."""
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) == 0:
        capability += 1
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    set_capabilities((0,) * 6)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def _raise_second_wall(landlock: tuple[bytes, list[tuple[str, int]]] | None) -> None:
    if landlock is not None:
        importlib.import_module("raise_wall").raise_wall(*landlock)


def find_second_wall() -> None:
    """Load what raises Landlock's wall: the same code as around PID 1, which could not be read later."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.normpath(os.path.join(here, "..", "..", "..", "landlock")))
    importlib.import_module("raise_wall")
    del sys.path[0]


def _load_filter(code: bytes) -> None:
    """Load the filter of system calls: instructions of 8 bytes, as bubblewrap is given them."""
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    prctl_seccomp = libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), program, 0, 0)
    checked(prctl_seccomp, "the filter of system calls")


def _compare_walls() -> None:
    """Make sure that the walls around this process are those around PID 1, as far as one can see."""
    ours, its = _walls("self"), _walls("1")
    different = [name for name, value in its.items() if ours[name] != value]
    if different:
        raise LeftError(f"it differs from PID 1 in {', '.join(different)}")


def _walls(process: str) -> dict[str, str]:
    lines = dict(line.split(":\t", 1) for line in _read(process, "status").splitlines() if ":\t" in line)
    walls = {name: lines.get(name, "") for name in SAME}
    return {**walls, **{name: _read(process, name) for name in ("limits", "cgroup", "attr/current")}}


def _read(process: str, name: str) -> str:
    try:
        with open(f"/proc/{process}/{name}") as file:
            return file.read()
    except OSError as error:  # there is no security module, say: then for neither
        return str(error.errno)
