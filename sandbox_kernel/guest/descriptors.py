"""The descriptors through which the guest speaks with the host."""

from __future__ import annotations

import fcntl
import os

_LOWEST_PRIVATE = 64
"""The tunnel moves to the first free descriptors from here: far from the three that code
uses out of habit, far below any limit on open files."""


def take_standard_streams() -> tuple[int, int]:
    """Move stdin and stdout to private descriptors and leave /dev/null in their place.

    So neither a stray print here nor a child that inherits the standard streams can touch
    the tunnel. The private descriptors close on exec.
    """
    stdin = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _LOWEST_PRIVATE)
    stdout = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _LOWEST_PRIVATE)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)
    return stdin, stdout
