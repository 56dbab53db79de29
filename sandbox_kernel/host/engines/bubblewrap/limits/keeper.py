"""What keeps a limit, said once for all ways of keeping it."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from sandbox_kernel.host.engines.base import Enforcement, Usage

LIMITS = ("memory", "cpus", "pids")
"""The policy's fields that are kept here."""

PERIOD = 100_000
"""Microseconds over which processor time is shared out: the kernel's own default."""
STARTING = 1_000_000
"""The same until a kernel is ready, the longest that Linux takes: the time is the same, but a start is
so short that it has all it needs at once, and does not stand still for half of it."""


class Limits(Struct, frozen=True):
    """The part of a policy that is kept here."""

    memory: int
    """Bytes, swap included."""
    cpus: float
    pids: int
    """Processes and threads."""


class Hold(Protocol):
    """A sandbox whose limits are in force."""

    def admit(self, pid: int) -> None:
        """Put a process from elsewhere under them, before it becomes one of the sandbox's.

        :raises LimitUnenforceableError: it has ended, or the machine refuses.
        """

    def settle(self) -> None:
        """Share out processor time in short turns from now on; never raises: the limit holds either way."""

    def usage(self) -> Usage:
        """Return what was counted, zeros for what is not counted here; also valid after `release`."""

    def kill(self) -> None:
        """Kill every process of the sandbox. Idempotent; never raises; any thread."""

    def release(self) -> None:
        """Kill, wait until the sandbox is empty, remove all that was made. Idempotent; bounded in time."""

    def paths(self) -> list[Path]:
        """Return what must be removed should our process die before `release`."""


class Keeper(Protocol):
    """A way to keep some of the limits, chosen and ready."""

    def enforcements(self) -> list[Enforcement]:
        """Return one entry for each limit that it keeps."""

    def apply(self, pid: int, name: str) -> Hold:
        """Put a process, and so all that will descend from it, under the limits.

        :raises LimitUnenforceableError: the machine refuses after all.
        """


def describe(limit: str, limits: Limits) -> str:
    """Return the sentence for a limit that the kernel itself keeps."""
    return {
        "memory": f"The kernel kills a process when the sandbox exceeds {limits.memory >> 20} MiB.",
        "cpus": f"The kernel shares out {limits.cpus:g} processors' time, in periods of 100 ms.",
        "pids": f"The kernel refuses processes and threads beyond {limits.pids}.",
    }[limit]
