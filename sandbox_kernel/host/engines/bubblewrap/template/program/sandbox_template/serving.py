"""The template's one loop: an order to fork comes, a number goes."""

from __future__ import annotations

import contextlib
import marshal
import os
import socket

from .calls import LeftError
from .imports import import_all, settle
from .kernel import READY, Beginning, obey
from .walls import enter, find_second_wall

CONTROL = 3
MOST = 1 << 18
"""Bytes of the host's orders: names of modules and of directories."""

MOST_WORDS = 4096
"""Bytes of what is said when something is wrong."""

PATIENCE = 20.0
"""Seconds for a guest to appear and to give its order; then its kernel was started otherwise."""


def serve() -> None:
    """Import, then fork on demand; return in a process that has become a kernel's.

    The template itself ends when its host does: there is nobody left at the other end.
    """
    beginning = Beginning.now()
    control = socket.socket(fileno=CONTROL)
    try:
        orders = marshal.loads(control.recv(MOST))  # noqa: S302 - from our own parent
        find_second_wall()
        import_all(orders["modules"], orders["directories"], orders["uid"])
        settle()
    except LeftError as error:
        control.send(str(error).encode(errors="replace"))
        os._exit(1)
    control.send(READY)
    while True:
        data, fds, _, _ = socket.recv_fds(control, MOST, 2)
        if not data:
            os._exit(0)
        child = _fork(control, beginning, *fds)
        if child is None:
            return
        for fd in fds:
            os.close(fd)
        control.send(child)


def _fork(control: socket.socket, beginning: Beginning, nursery: int, word: int) -> bytes | None:
    """Return what the host is told, or None in the process that has become a kernel's."""
    try:
        child = os.fork()
    except OSError as error:
        return f"no process could be forked: {error.strerror}".encode()
    if child:
        return b"%d" % child
    control.close()
    guest = socket.socket(fileno=nursery)
    guest.settimeout(PATIENCE)
    host = socket.socket(fileno=word)
    try:
        enter(guest, host)
        obey(guest, beginning)
    except BaseException as error:  # noqa: BLE001 - the process's rim: the guest is told, and starts a kernel
        reason = f"!{type(error).__name__}: {error}".encode(errors="replace")[:MOST_WORDS]
        for end in (guest, host):
            with contextlib.suppress(OSError):  # it has gone, or has started a kernel meanwhile
                end.send(reason)
        os._exit(1)
    return None
