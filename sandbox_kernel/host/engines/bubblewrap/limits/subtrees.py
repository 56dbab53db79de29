"""Where version 2 groups of ours can go: below a group that holds no processes and hands controllers down.

A group may hand controllers to its children only if it holds no processes, and ours holds us.
So the place is above us, or elsewhere. In this order:

1. The nearest group above us that was delegated to a service we are part of (systemd marks it): all
   below it is ours.
2. A scope that systemd makes for us; see `systemd`.
3. The group above us that already hands down most of what is needed, or, where there is no systemd,
   that could, being the root of all groups or empty.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from sandbox_kernel.host.engines.bubblewrap.limits import group
from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree, words, writable
from sandbox_kernel.host.engines.bubblewrap.limits.systemd import BOOTED, Manager, Scope

CONTROLLERS = {"memory": "memory", "cpus": "cpu", "pids": "pids"}
"""Which controller keeps which limit."""
DELEGATED = ("user.delegate", "trusted.delegate")
"""The extended attributes by which systemd marks what it leaves to a service; root alone sees the second."""
USER_MANAGER = "user@"
"""What begins the name of the group of a user's own systemd: delegated, but to that, not to us."""


class Subtree(Protocol):
    """A group below which to make ours."""

    def open(self) -> Path:
        """Return the group's directory, controllers handed down.

        :raises LimitUnenforceableError: that cannot be done.
        """

    def move(self, pid: int, directory: Path) -> None:
        """Put a process into a group below this one.

        :raises LimitUnenforceableError: that cannot be done.
        """


class Above(Struct, frozen=True):
    """A group above us."""

    directory: Path
    controllers: frozenset[str]

    def open(self) -> Path:
        """Hand down what is not yet."""
        missing = self.controllers - words(self.directory / "cgroup.subtree_control")
        if missing:
            group.hand_down(self.directory, missing)
        return self.directory

    def move(self, pid: int, directory: Path) -> None:
        """Write to a file of the kernel's."""
        group.move(pid, directory)


class Subtrees:
    """What this machine offers to this process; a scope, once made, serves all sandboxes."""

    def __init__(self) -> None:
        self._manager = Manager(os.geteuid())
        self._scope = Scope(self._manager)

    def find(self, tree: Tree, limits: frozenset[str]) -> tuple[Subtree, frozenset[str]] | None:
        """Return where to make groups and which of the limits can be kept there; None: nowhere, none."""
        for above in tree.ancestors():
            if _delegated(above) and (found := _choose([above], limits, "cgroup.controllers")):
                return found
        if kept := _kept(limits, self._manager.controllers(tree)):
            return self._scope, kept
        usable = [above for above in tree.ancestors() if writable(above)]
        ready = _choose(usable, limits, "cgroup.subtree_control")
        if ready or BOOTED.is_dir():  # what we switched on, systemd would switch off
            return ready
        return _choose([above for above in usable if _can_hand_down(above)], limits, "cgroup.controllers")


def _choose(
    groups: Iterable[Path], limits: frozenset[str], file: str
) -> tuple[Subtree, frozenset[str]] | None:
    """Return the group whose file names most of what the limits need, the nearest of the equal."""
    kept: Mapping[Path, frozenset[str]] = {above: _kept(limits, words(above / file)) for above in groups}
    best = max(kept, key=lambda above: len(kept[above]), default=None)
    if best is None or not kept[best]:
        return None
    return Above(best, frozenset(CONTROLLERS[limit] for limit in kept[best])), kept[best]


def _kept(limits: frozenset[str], controllers: frozenset[str]) -> frozenset[str]:
    return frozenset(limit for limit in limits if CONTROLLERS[limit] in controllers)


def _delegated(above: Path) -> bool:
    return (
        writable(above)
        and not above.name.startswith(USER_MANAGER)
        and _marked(above)
        and _can_hand_down(above)
    )


def _marked(above: Path) -> bool:
    for attribute in DELEGATED:
        try:
            return os.getxattr(above, attribute) == b"1"
        except OSError:
            continue
    return False


def _can_hand_down(above: Path) -> bool:
    """Tell whether a group may hand controllers down: it holds no processes, or it is the root of all."""
    return not (above / "cgroup.type").exists() or not group.members(above)
