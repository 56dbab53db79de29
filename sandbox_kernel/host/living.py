"""The sandboxes that this process owns: none outlives it, and a forked child lets go of them."""

import atexit
import os
import weakref
from typing import Protocol

from sandbox_kernel.host.janitor import JANITOR


class Owned(Protocol):
    """What this process must end."""

    def kill(self) -> None:
        """End everything inside at once."""

    def close(self) -> None:
        """Return when nothing of it is left."""

    def abandon(self) -> None:
        """Close what a forked child has inherited of it, and do nothing else from now on."""


_LIVE: "weakref.WeakSet[Owned]" = weakref.WeakSet()


def enter(owned: Owned) -> None:
    """End it with this process, if nobody has done so before."""
    _LIVE.add(owned)


def leave(owned: Owned) -> None:
    """Nothing is left of it."""
    _LIVE.discard(owned)


def _close_all() -> None:
    """At the interpreter's end: no kernel survives an owner that forgot it."""
    for owned in list(_LIVE):
        owned.kill()
    for owned in list(_LIVE):
        owned.close()


def _abandon_all() -> None:
    for owned in list(_LIVE):
        owned.abandon()
    _LIVE.clear()
    JANITOR.abandon()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_abandon_all)
