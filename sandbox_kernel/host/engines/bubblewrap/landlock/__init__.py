"""The second wall: Landlock, where the kernel has it.

Namespaces decide what is *seen*, Landlock what may be *done* with it, and they are other code in the
kernel. It is raised by process 1 around itself, after bubblewrap has built the root, for good and for
all that it starts. Then, whatever the mounts say:

* Nothing is written but below the directories in memory, the few devices, and what was granted `rw`.
* What lies outside of the sandbox's root cannot be opened, also not through a descriptor of a directory
  that should never have been inside.
* No device files are made, no device but the terminals and their like takes requests (Linux 6.10).
* No mounts, whatever privilege somebody might get; nobody outside is traced, signalled, or
  reached by an abstract socket (the latter two: Linux 6.12).

What it cannot do: take away below a directory what it gives for the directory. An environment in a
folder shared `rw` is kept read-only by the mounts alone. And it looks at opening, not at descriptors
that are open: pipes and sockets pass.

Used from ABI 2 (Linux 5.19) on, for with the first one files could not be moved between folders.
Never needed: a kernel without it has one wall less, and `doctor` says so. It costs 0.1 ms of the
kernel's time, and 2 ms for Python to read one file more.
"""

import ctypes
import os
from functools import cache
from typing import Final

from sandbox_kernel.host.engines.bubblewrap.landlock.ruleset import (
    OLDEST,
    Ruleset,
    ruleset,
    signals_only,
    within,
)

__all__ = ["OLDEST", "Ruleset", "abi", "ruleset", "signals_only", "within"]

CREATE_RULESET: Final = 444
"""The same number on every architecture."""

ASK_VERSION: Final = 1


@cache
def abi() -> int:
    """Return the version of Landlock that this kernel speaks, 0 if there is none or it is switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(CREATE_RULESET)
    version = libc.syscall(number, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))
    return max(0, int(version))


PROGRAM: Final = os.path.join(os.path.dirname(__file__), "raise_wall.py")  # noqa: PTH118, PTH120 - a constant
"""What raises it, inside."""
