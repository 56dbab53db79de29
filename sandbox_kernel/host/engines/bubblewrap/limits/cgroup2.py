"""Limits by control groups version 2.

Where the groups go is a matter of its own; see `subtrees`.

Swap is forbidden (`memory.swap.max` 0), so a full sandbox ends and does not page. `memory.oom.group`
stays 0: a full group costs the one process that holds most, which is what a user's child
process deserves and what lets the kernel live to say so. With 1, one greedy child would take
the whole session along.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Enforcement, Usage
from sandbox_kernel.host.engines.bubblewrap.limits import group
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import PERIOD, STARTING, Hold, Limits, describe
from sandbox_kernel.host.engines.bubblewrap.limits.places import PREFIX
from sandbox_kernel.host.engines.bubblewrap.limits.subtrees import Subtree


class Cgroup2:
    """Keeps some of the limits in a version 2 group of its own."""

    def __init__(self, subtree: Subtree, kept: frozenset[str], limits: Limits) -> None:
        self._subtree = subtree
        self._kept = kept
        self._limits = limits

    def enforcements(self) -> list[Enforcement]:
        """Return one entry for each limit kept."""
        return [Enforcement(limit, "cgroup v2", describe(limit, self._limits)) for limit in self._kept]

    def apply(self, pid: int, name: str) -> Hold:
        """Make the group, set and check the limits, and move the process in.

        :raises LimitUnenforceableError: any step is refused or reads back differently.
        """
        directory = self._subtree.open() / (PREFIX + name)
        with group.made([directory]):
            set_limits(directory, self._kept, self._limits)
            self._subtree.move(pid, directory)
        return Cgroup2Hold(directory, self._subtree.move, self._limits.cpus if "cpus" in self._kept else None)


def set_limits(directory: Path, kept: frozenset[str], limits: Limits) -> None:
    """Write the limits into a group's files and check them.

    :raises LimitUnenforceableError: one is refused or reads back differently.
    """
    if "memory" in kept:
        group.write(directory / "memory.max", str(limits.memory))
        if swap_matters(directory):
            group.write(directory / "memory.swap.max", "0")
    if "pids" in kept:
        group.write(directory / "pids.max", str(limits.pids))
    if "cpus" in kept:
        group.write(directory / "cpu.max", _share(limits.cpus, STARTING))


class Cgroup2Hold:
    """A sandbox in its group."""

    def __init__(
        self, directory: Path, move: Callable[[int, Path], None] = group.move, cpus: float | None = None
    ) -> None:
        self._directory = directory
        self._move = move
        self._cpus = cpus
        self._last = Usage()
        self._files = f"{directory}/"  # as text, and once: they are read for each cell's reply

    def admit(self, pid: int) -> None:
        """Move it into the group."""
        self._move(pid, self._directory)

    def paths(self) -> list[Path]:
        """Return the group's directory."""
        return [self._directory]

    def settle(self) -> None:
        """Write the short period."""
        if self._cpus is not None:
            with contextlib.suppress(LimitUnenforceableError):
                group.write(self._directory / "cpu.max", _share(self._cpus, PERIOD))

    def usage(self) -> Usage:
        """Return the kernel's counters; after `release`, the last ones."""
        self._last |= self._count()  # nothing in it ever falls; of what is gone there is none
        return self._last

    def kill(self) -> None:
        """Kill every process in the group."""
        # Only needed where the kernel has no cgroup.kill; then nothing can fork its way out.
        with contextlib.suppress(OSError):
            (self._directory / "pids.max").write_text("0")
        group.kill_members(self._directory)

    def release(self) -> None:
        """Kill, count for the last time, and remove the group."""
        self.kill()
        self.usage()
        group.remove(self._directory)

    def _count(self) -> Usage:
        # memory.peak came with Linux 5.19; before, the most that was seen has to do.
        seen = group.read_int(f"{self._files}memory.current")
        return Usage(
            memory_bytes=max(seen, group.read_int(f"{self._files}memory.peak")),
            oom_kills=group.read_int(f"{self._files}memory.events", "oom_kill"),
            pids_refused=group.read_int(f"{self._files}pids.events", "max"),
            cpu_seconds=group.read_int(f"{self._files}cpu.stat", "usage_usec") / 1e6,
        )


def _share(cpus: float, period: int) -> str:
    return f"{round(cpus * period)} {period}"


def swap_matters(directory: Path) -> bool:
    """Tell whether swap has to be forbidden: the kernel counts it, or the machine has some."""
    return (directory / "memory.swap.max").exists() or host_has_swap()


def host_has_swap() -> bool:
    """Tell whether the machine has any swap."""
    return len(Path("/proc/swaps").read_text().splitlines()) > 1
