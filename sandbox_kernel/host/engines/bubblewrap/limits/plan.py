"""Chooses what keeps each limit here, and puts a sandbox under all of it."""

import contextlib
import re
from pathlib import Path

from msgspec import Struct

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Enforcement, Usage
from sandbox_kernel.host.engines.bubblewrap.limits import cgroup1, cgroup2
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import LIMITS, Hold, Keeper, Limits
from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree, find_trees
from sandbox_kernel.host.engines.bubblewrap.limits.processes import PAGE, tree
from sandbox_kernel.host.engines.bubblewrap.limits.rlimit import Rlimit, counted_per_namespace
from sandbox_kernel.host.engines.bubblewrap.limits.subtrees import Subtrees
from sandbox_kernel.host.engines.bubblewrap.limits.watchdog import Watchdog
from sandbox_kernel.policy import Policy

SUBTREES = Subtrees()
"""One for all sandboxes of this process; it does nothing until it is asked."""
NAME = re.compile(r"[0-9a-f]{8,64}")
"""What a launch's name looks like; it becomes part of paths."""


class LimitPlan(Struct, frozen=True):
    """What will keep which limit."""

    keepers: tuple[Keeper, ...]
    guest_pids: int | None
    """The RLIMIT_NPROC that the guest must set for the kernel, or None: leave it alone."""

    def enforcements(self) -> list[Enforcement]:
        """Return how each limit is kept, in the policy's order."""
        entries = [entry for keeper in self.keepers for entry in keeper.enforcements()]
        return sorted(entries, key=lambda entry: LIMITS.index(entry.limit))

    def apply(self, pid: int, name: str) -> "AppliedLimits":
        """Put a process, and so all that will descend from it, under the limits.

        The process must be single and waiting: what it started earlier stays outside.

        :param pid: the sandbox's first process, as this process sees it.
        :param name: the launch's name: eight or more hex digits.
        :raises LimitUnenforceableError: a limit is refused or reads back differently; nothing is left behind.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"A launch's name is eight or more hex digits, not {name!r}.")
        if len(tree(pid)) != 1:
            raise LimitUnenforceableError(
                f"Process {pid} has ended or has started others already, which would stay outside the limits."
            )
        holds: list[Hold] = []
        try:
            holds.extend(keeper.apply(pid, name) for keeper in self.keepers)
        except BaseException:  # whatever went wrong: nothing is left behind
            for hold in holds:
                hold.release()
            raise
        return AppliedLimits(tuple(holds))


class AppliedLimits:
    """A sandbox whose limits are in force."""

    def __init__(self, holds: tuple[Hold, ...]) -> None:
        self._holds = holds

    def __repr__(self) -> str:
        return f"<AppliedLimits {', '.join(type(hold).__name__ for hold in self._holds)}>"

    def admit(self, pid: int) -> None:
        """Put one more process, and all that will descend from it, under the same limits.

        It must be single and waiting, and end up among the descendants of the first.

        :raises LimitUnenforceableError: it has ended, or the machine refuses.
        """
        for hold in self._holds:
            hold.admit(pid)

    def settle(self) -> None:
        """Share out processor time in short turns from now on: the kernel is ready. Never raises."""
        for hold in self._holds:
            hold.settle()

    def usage(self) -> Usage:
        """Return what was counted; also valid after `release`."""
        counts = [hold.usage() for hold in self._holds]
        return Usage(
            memory_bytes=max(count.memory_bytes for count in counts),
            oom_kills=sum(count.oom_kills for count in counts),
            pids_refused=sum(count.pids_refused for count in counts),
            cpu_seconds=max(count.cpu_seconds for count in counts),
        )

    def kill(self) -> None:
        """Kill every process of the sandbox. Idempotent; never raises; any thread."""
        for hold in self._holds:
            with contextlib.suppress(OSError):
                hold.kill()

    def release(self) -> None:
        """Kill, wait until the sandbox is empty, and remove all that was made.

        Idempotent, and bounded in time: what a process in uninterruptible sleep keeps alive stays,
        and `orphans` finds it later.
        """
        for hold in self._holds:
            with contextlib.suppress(OSError):
                hold.release()

    def paths(self) -> list[Path]:
        """Return the directories that must be removed should this process die before `release`."""
        return [path for hold in self._holds for path in hold.paths()]


def plan_limits(policy: Policy) -> LimitPlan:
    """Choose what keeps each limit of a policy on this machine. Starts and changes nothing.

    :raises LimitUnenforceableError: nothing here can keep one of them.
    """
    limits = Limits(policy.memory // PAGE * PAGE, policy.cpus, policy.pids)
    keepers = _groups(limits, find_trees())
    left = frozenset(LIMITS) - {entry.limit for keeper in keepers for entry in keeper.enforcements()}
    guest_pids = None
    if "pids" in left:
        if not counted_per_namespace():
            raise LimitUnenforceableError(
                "The number of processes cannot be limited here: no control group that we may write, "
                "and this Linux is older than 5.14. Run under systemd with cgroup v2, or as root."
            )
        keepers.append(Rlimit(limits))
        guest_pids = limits.pids
    if watched := left & {"memory", "cpus"}:
        keepers.append(Watchdog(watched, limits))
    return LimitPlan(tuple(keepers), guest_pids)


def _groups(limits: Limits, trees: list[Tree]) -> list[Keeper]:
    """Return the keepers by control groups that are at hand."""
    keepers: list[Keeper] = []
    left = frozenset(LIMITS)
    for found_tree in trees:
        if found_tree.version == 2 and (found2 := SUBTREES.find(found_tree, left)):
            keepers.append(cgroup2.Cgroup2(*found2, limits))
            left -= found2[1]
    found = cgroup1.find(trees)
    usable = {cgroup1.CONTROLLERS[limit] for limit in left} & set(found)
    if "memory" in usable and cgroup2.host_has_swap() and not cgroup1.swap_counted(found["memory"].own):
        usable.discard("memory")
    if usable:
        usable |= {cgroup1.ACCOUNTING} & set(found)
        keepers.append(cgroup1.Cgroup1({name: found[name] for name in sorted(usable)}, limits))
    return keepers
