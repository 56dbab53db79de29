"""Limits by control groups version 1: one tree per controller, root only.

Memory is limited together with swap (`memory.memsw`); where the kernel does not count swap and
the machine has some, memory cannot be limited here at all: a sandbox would page instead of end.
The kernel kills one process when the group is full, the one that holds most, and the others go on.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Enforcement, Usage
from sandbox_kernel.host.engines.bubblewrap.limits import group
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import PERIOD, STARTING, Hold, Limits, describe
from sandbox_kernel.host.engines.bubblewrap.limits.places import PREFIX, Tree, writable

CONTROLLERS = {"memory": "memory", "cpus": "cpu", "pids": "pids"}
"""Which controller keeps which limit."""
ACCOUNTING = "cpuacct"
"""Counts processor time; its own tree, or mounted together with cpu."""


class Cgroup1:
    """Keeps some of the limits in version 1 groups."""

    def __init__(self, trees: Mapping[str, Tree], limits: Limits) -> None:
        self._trees = trees
        self._limits = limits

    def enforcements(self) -> list[Enforcement]:
        """Return one entry for each limit kept."""
        return [
            Enforcement(limit, "cgroup v1", describe(limit, self._limits))
            for limit, controller in CONTROLLERS.items()
            if controller in self._trees
        ]

    def apply(self, pid: int, name: str) -> Hold:
        """Make the groups, set and check the limits, and move the process in.

        :raises LimitUnenforceableError: any step is refused or reads back differently.
        """
        groups = {controller: tree.own / (PREFIX + name) for controller, tree in self._trees.items()}
        directories = sorted(set(groups.values()))
        with group.made(directories):
            self._set(groups)
            for directory in directories:
                group.move(pid, directory)
        return Cgroup1Hold(groups, self._limits.cpus)

    def _set(self, groups: Mapping[str, Path]) -> None:
        if "memory" in groups:
            memory = str(self._limits.memory)
            group.write(groups["memory"] / "memory.limit_in_bytes", memory)
            if swap_counted(groups["memory"]):
                group.write(groups["memory"] / "memory.memsw.limit_in_bytes", memory)
        if "pids" in groups:
            group.write(groups["pids"] / "pids.max", str(self._limits.pids))
        if "cpu" in groups:
            group.write(groups["cpu"] / "cpu.cfs_period_us", str(STARTING))
            quota = _quota(groups["cpu"], self._limits.cpus, STARTING)
            group.write(groups["cpu"] / "cpu.cfs_quota_us", quota)


class Cgroup1Hold:
    """A sandbox in its groups."""

    def __init__(self, groups: Mapping[str, Path], cpus: float = 0.0) -> None:
        self._groups = groups
        self._cpus = cpus
        self._killed = False
        self._last = Usage()
        # As text, and once: they are read for each cell's reply.
        memory, pids, cpu = (str(groups.get(key, "/nowhere")) for key in ("memory", "pids", ACCOUNTING))
        counted = "memory.memsw" if swap_counted(Path(memory)) else "memory"
        self._peak = f"{memory}/{counted}.max_usage_in_bytes"
        self._oom, self._refused = f"{memory}/memory.oom_control", f"{pids}/pids.events"
        self._cpu = f"{cpu}/cpuacct.usage"

    def admit(self, pid: int) -> None:
        """Move it into the groups."""
        for directory in self.paths():
            group.move(pid, directory)

    def settle(self) -> None:
        """Write the short period, and first the time for it: the other way round it would be too much."""
        if cpu := self._groups.get("cpu"):
            with contextlib.suppress(OSError, LimitUnenforceableError):
                group.write(cpu / "cpu.cfs_quota_us", _quota(cpu, self._cpus, PERIOD))
                group.write(cpu / "cpu.cfs_period_us", str(PERIOD))

    def paths(self) -> list[Path]:
        """Return the groups' directories that exist or should."""
        return sorted(set(self._groups.values()))

    def usage(self) -> Usage:
        """Return the kernel's counters; after `release`, the last ones."""
        self._last |= self._count()  # nothing in it ever falls; of what is gone there is none
        return self._last

    def kill(self) -> None:
        """Kill every process in the groups; no new ones can be made meanwhile."""
        if "pids" in self._groups:
            with contextlib.suppress(OSError):
                (self._groups["pids"] / "pids.max").write_text("0")
        killed: set[int] = set()
        for directory in self.paths():
            group.kill_members(directory, killed)
        self._killed = True

    def release(self) -> None:
        """Kill, count for the last time, and remove the groups."""
        if not self._killed:  # else nothing can have been made since, and what is left falls with its group
            self.kill()
        self.usage()
        for directory in self.paths():
            group.remove(directory)

    def _count(self) -> Usage:
        return Usage(
            memory_bytes=group.read_int(self._peak),
            oom_kills=group.read_int(self._oom, "oom_kill"),
            pids_refused=group.read_int(self._refused, "max"),
            cpu_seconds=group.read_int(self._cpu) / 1e9,
        )


def find(trees: list[Tree]) -> dict[str, Tree]:
    """Return the version 1 trees, by controller, in which we may make groups."""
    return {
        controller: tree
        for tree in trees
        for controller in tree.controllers & {*CONTROLLERS.values(), ACCOUNTING}
        if tree.version == 1 and writable(tree.own)
    }


def swap_counted(directory: Path) -> bool:
    """Tell whether the kernel counts swap in memory groups."""
    return (directory / "memory.memsw.limit_in_bytes").exists()


def _quota(directory: Path, cpus: float, period: int) -> str:
    """Return the microseconds per period: no more than the group above has, or version 1 refuses them."""
    above = int((directory.parent / "cpu.cfs_quota_us").read_text())
    its_period = int((directory.parent / "cpu.cfs_period_us").read_text())
    wanted = round(cpus * period)
    return str(min(wanted, above * period // its_period) if above > 0 else wanted)
