"""The system calls that a sandbox may make, as a program for the kernel.

`../../seccomp.json` is the one source, in the format that Docker and OCI runtimes take: every
engine keeps the same list. `compile` turns it into the `.bpf` files beside this module, once
per processor architecture, ahead of time: bubblewrap wants the compiled form, and users need
no libseccomp.

How it refuses:

* EPERM for what is known and not allowed.
* ENOSYS for what is newer than the list, and for the few calls named so in it. Programs and the
  C library try new calls first and fall back to old ones on ENOSYS; any other error they take
  for a final answer. OCI runtimes add the same rule by themselves.
* SIGSYS for calls in the way of another architecture (32-bit, x32): the same numbers mean other
  calls there, so there is no list to go by.
"""

import platform
from pathlib import Path

from sandbox_kernel.errors import EngineUnavailableError

POLICY = Path(__file__).parent.parent.parent / "seccomp.json"
"""The source, as Docker takes it: hand over its text, not its path."""

ARCHITECTURES = ("x86_64", "aarch64")
"""What filters are compiled for, by the names that `platform.machine()` uses."""


def load_filter() -> bytes:
    """Return the filter for this machine, as `bwrap --seccomp` reads it from its descriptor.

    :raises EngineUnavailableError: there is no filter for this processor architecture.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise EngineUnavailableError(
            f"sandbox-kernel has no system call filter for the processor architecture {machine!r}, only for "
            f"{' and '.join(ARCHITECTURES)}; run it on one of these."
        )
    return filter_path(machine).read_bytes()


def filter_path(machine: str) -> Path:
    """Return where the compiled filter for an architecture is kept."""
    return Path(__file__).parent / f"{machine}.bpf"
