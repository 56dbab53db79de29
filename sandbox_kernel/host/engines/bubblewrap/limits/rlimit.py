"""The process limit where there is no control group for it: RLIMIT_NPROC, set inside.

Since Linux 5.14 the kernel counts it per user namespace, so what else the user runs on the machine
does not count, and neither do other sandboxes: it is exact. Before, it counts all that runs
under the same user id, which is no limit of a sandbox. The guest sets it on the kernel it starts;
an ordinary process can lower it further, but not raise it again.
"""

import platform
import re
from pathlib import Path

from sandbox_kernel.host.engines.base import Enforcement, Usage
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import Hold, Limits

PER_NAMESPACE_SINCE = (5, 14)


class Rlimit:
    """Keeps the number of processes; the setting itself is the guest's work."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def enforcements(self) -> list[Enforcement]:
        """Return the one entry."""
        return [
            Enforcement(
                "pids",
                "rlimit",
                f"The kernel refuses processes and threads beyond {self._limits.pids}, counted in the "
                "sandbox's own user namespace; refusals are not counted.",
            )
        ]

    def apply(self, pid: int, name: str) -> Hold:  # noqa: ARG002 - a keeper's form
        """Do nothing: the guest sets it before it starts the kernel."""
        return _Nothing()


class _Nothing:
    """There is nothing to hold."""

    def admit(self, pid: int) -> None:
        pass  # the guest orders it to set the limit itself

    def settle(self) -> None:
        pass

    def usage(self) -> Usage:
        return Usage()

    def kill(self) -> None:
        pass

    def release(self) -> None:
        pass

    def paths(self) -> list[Path]:
        return []


def counted_per_namespace(release: str | None = None) -> bool:
    """Tell whether this kernel (or the one of that release) counts processes per user namespace."""
    numbers = re.match(r"(\d+)\.(\d+)", release if release is not None else platform.release())
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= PER_NAMESPACE_SINCE
