"""A kernel's way from its template into one sandbox, as the host arranges it.

    ask the template  →  put the fork under the limits  →  word  →  (guest and fork find each other)

Nothing here can fail a launch: without a fork the guest starts a kernel itself.
"""

import socket
from typing import Final

from msgspec.structs import replace

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import CONNECTION_FILE, Launch
from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap
from sandbox_kernel.host.engines.bubblewrap.descriptors import Descriptors
from sandbox_kernel.host.engines.bubblewrap.identity import Identity, trial_identity
from sandbox_kernel.host.engines.bubblewrap.landlock import Ruleset, abi, signals_only
from sandbox_kernel.host.engines.bubblewrap.limits import AppliedLimits
from sandbox_kernel.host.engines.bubblewrap.seccomp import load_filter
from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES, Forked, Recipe, Walls, recipe_for
from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.environment import RUNTIME, kernel_environment
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Start

_NAMESPACES: Final = {
    "user": 0x10000000, "mnt": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000,
    "uts": 0x4000000,
}  # fmt: skip
"""CLONE_NEW…, of those that bubblewrap always makes."""
_CGROUP: Final = 0x2000000


class Birth:
    """What waits outside to become the kernel of one launch: a forked process, or nothing."""

    def __init__(self, recipe: Recipe | None, walls: Walls, held: Descriptors) -> None:
        """Ask the recipe's template for a process.

        :param held: closes our copies of the socket between it and the guest.
        """
        self._forked: Forked | None = None
        self.words: list[str] = []
        """What to add to the guest's command line."""
        if recipe is None:
            return
        near, far = (
            held.keep(end.detach()) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        )
        self._forked = TEMPLATES.fork(recipe, walls, far)
        if self._forked:
            self.words = [str(near), signals_only(abi()).hex()]
        else:
            held.forget(near)
        held.forget(far)

    def walls_of_init(self, landlock: Ruleset | None) -> Ruleset | None:
        """Return the second wall of PID 1, which must be able to signal a kernel that raises its own."""
        return landlock.without_signals() if landlock and self._forked else landlock

    def let_go(self, limits: AppliedLimits) -> None:
        """Put the process under the sandbox's limits and send it in; one that cannot be limited stays out."""
        if self._forked:
            try:
                limits.admit(self._forked.pid)
            except LimitUnenforceableError:
                return
            self._forked.go()

    def close(self) -> None:
        """End what was not let go. What was may still say that it came to nothing."""
        if self._forked and not self._forked.has_gone:
            self._forked.close()


def recipe_of(
    policy: Policy, launch: Launch, message: Start, kernels: Interpreter, who: Identity
) -> Recipe | None:
    """Return how to fork the kernel of a launch, or None if it must be started.

    It must if variables were granted to it: a template has seen none, and may have imported what heeds them.
    """
    plain = kernel_environment(
        replace(policy, env=()), replace(launch, argv=message.argv, env={}), {}, user_base=kernels.user_base
    )
    if dict(message.env) != plain:
        return None
    argv = [word.replace(CONNECTION_FILE, f"{RUNTIME}/kernel.json") for word in message.argv]
    uid = trial_identity().uid if who.dropped else None
    return recipe_for(argv, {**plain, "JPY_PARENT_PID": "1"}, policy.preload, uid, kernels)


def walls_of(wall: Bubblewrap, who: Identity, landlock: Ruleset | None) -> Walls:
    """Return the walls around a sandbox, as its forked kernel must raise them."""
    rules = (landlock.attributes(abi()), list(landlock.rules)) if landlock else None
    namespaces = sum(_NAMESPACES.values()) | (_CGROUP if wall.cgroup else 0)
    return Walls(who.uid if who.dropped else None, namespaces, rules, load_filter())
