"""The templates of this process: one for each kind of kernel that is started often."""

import atexit
import contextlib
import logging
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sandbox_kernel.host.audit import fingerprint
from sandbox_kernel.host.engines.bubblewrap.template.search import elsewhere, overlap
from sandbox_kernel.host.engines.bubblewrap.template.template import (
    Forked,
    Recipe,
    Template,
    TemplateError,
    Walls,
    inherited,
)
from sandbox_kernel.host.engines.interpreter import Interpreter, our_interpreter, straight
from sandbox_kernel.host.environment import HOME

log = logging.getLogger(__name__)

LAUNCHES: Final = 2
"""So many launches of a kind make another one likely: a script that runs one notebook pays nothing."""

WAIT: Final = 0.0
"""Seconds that a launch waits for a template to get ready: to start the usual way takes no longer."""

MOST: Final = 4
"""Templates that are kept: each has the memory of an idle kernel, of which its forks save as much."""

UNUSED: Final = 2.0
"""Seconds that templates are kept after the last sandbox: a batch has begun the next by then."""

MAX_KINDS: Final = 64
"""Kinds of launches that are remembered."""

FAILURES: Final = 3
"""After so many of one kind no other is tried: something is wrong with it that does not pass."""

_LAUNCHER: Final = ("-m", "ipykernel_launcher")
_OPTION: Final = re.compile(r"-X\w+(=\w+)?")


def recipe_for(
    argv: Sequence[str],
    env: Mapping[str, str],
    modules: tuple[str, ...],
    uid: int | None,
    kernels: Interpreter | None = None,
) -> Recipe | None:
    """Return what a template of these kernels is made of; None: such kernels are not forked.

    :param argv: the kernel's command, of our own interpreter or another.
    :param kernels: that interpreter, if it has just been looked at.
    """
    options = argv[1:]
    while options and _OPTION.fullmatch(options[0]):
        options = options[1:]
    if argv[0] != straight(sys.executable) or tuple(options[:2]) != _LAUNCHER:
        return None
    packages = fingerprint(argv[0])
    if packages is None:
        return None
    directories = tuple(sorted({place.real for place in (kernels or our_interpreter()).directories}))
    return Recipe(tuple(argv), tuple(sorted(env.items())), modules, directories, packages, uid, inherited())


class _Slot:
    """The template of one recipe, to be used by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.template: Template | None = None
        self.launches = 0
        self.failures = 0
        self.dropped = False
        self._under_way: list[Forked] = []

    def close(self, *, for_good: bool = False) -> None:
        with self.lock:
            template, self.template = self.template, None
            self.dropped = self.dropped or for_good
            self._forget([forked for forked in self._under_way if forked.has_gone])
        if template:
            template.close()

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's."""
        if self.template:
            self.template.abandon()
        self._forget(self._under_way)

    def fork(self, recipe: Recipe, walls: Walls, nursery: int) -> Forked | None:
        """Return a process, None where there is none (yet, or any more)."""
        self.launches += 1
        self._hear()
        if self.launches < LAUNCHES or self.failures >= FAILURES or self.dropped:
            return None
        self.template = self.template or Template(recipe)
        if not self.template.is_ready(WAIT):
            return None
        forked = self.template.fork(walls, nursery)
        self._under_way.append(forked)
        return forked

    def _hear(self) -> None:
        """Note which of those that were sent have come to nothing: if it is always so, none is sent."""
        for forked in [forked for forked in self._under_way if forked.has_gone]:
            complaint = forked.complaint()
            if complaint is not None:
                self._forget([forked])
            if complaint:
                self._refused(complaint)

    def _refused(self, complaint: str) -> None:
        self.failures += 1
        if self.failures < FAILURES:
            return
        template, self.template = self.template, None
        if template:
            template.close()
            log.warning(
                "Kernels start the usual way from now on, and are not forked: %d could not enter their "
                "sandboxes, the last for this reason: %s.",
                FAILURES,
                complaint.rstrip("."),
            )

    def _forget(self, ended: list[Forked]) -> None:
        for forked in ended:
            forked.close()
        self._under_way = [forked for forked in self._under_way if forked not in ended]

    def failed(self, error: TemplateError) -> None:
        """Drop the template; say so once."""
        self.failures += 1
        template, self.template = self.template, None
        if template:
            template.close()
        if self.failures == 1:
            log.warning(
                "A kernel could not be forked, and starts the usual way: its template failed: %s.", error
            )


class Templates:
    """A bounded number of templates. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[Recipe, _Slot] = OrderedDict()
        self._search_path_was_granted = False
        self._has_told_of_home = False
        self.forked = 0
        """How many kernels were forked so far."""
        self._sandboxes = 0
        self._leaving: threading.Timer | None = None

    def __repr__(self) -> str:
        return f"<Templates {[slot.template for slot in self._slots.values() if slot.template]}>"

    def fork(self, recipe: Recipe, walls: Walls, nursery: int) -> Forked | None:
        """Return a process that waits to become a kernel; None: the guest is to start one itself.

        The second launch of a kind starts a template; those that follow are forked once that is ready.

        :param nursery: a socket to the guest.
        """
        slot, over = self._slot(recipe)
        for each in over:
            each.close(for_good=True)
        with slot.lock:
            try:
                forked = slot.fork(recipe, walls, nursery)
            except TemplateError as error:
                slot.failed(error)
                return None
            self.forked += forked is not None
            return forked

    def _slot(self, recipe: Recipe) -> tuple[_Slot, list[_Slot]]:
        """Return the recipe's slot, and those that are too many or would be others now."""
        with self._lock:
            slot = self._slots.pop(recipe, None) or _Slot()
            stale = [
                other
                for other in self._slots
                if other.argv == recipe.argv
                and (other.packages, other.inherited) != (recipe.packages, recipe.inherited)
            ]
            over = [self._slots.pop(other) for other in stale]
            self._slots[recipe] = slot
            if len(self._slots) > MAX_KINDS:
                over.append(self._slots.popitem(last=False)[1])
            kept = [other for other in self._slots.values() if other.template or other is slot]
            return slot, over + kept[:-MOST]

    def usable(self, interpreter: Interpreter, writable: Iterable[str]) -> bool:
        """Tell whether our interpreter is still as it should be; hears of each launch.

        :param writable: what the launch may write to, as it really is.
        """
        if overlap(elsewhere(interpreter), writable) and not self._search_path_was_granted:
            self._search_path_was_granted = True
            log.warning(
                "Kernels start the usual way from now on, and are not forked: a sandbox may write to "
                "a folder in which this Python looks for modules."
            )
            self.rest()
        return not self._search_path_was_granted and not self._home_is_taken()

    def _home_is_taken(self) -> bool:
        """Tell whether what is a kernel's home inside is somebody's outside.

        A template has a kernel's variables: Python would run what it finds in that home as it begins.
        """
        taken = os.path.lexists(HOME)
        if taken and not self._has_told_of_home:
            self._has_told_of_home = True
            log.warning("Kernels start the usual way, and are not forked, where there is a %s.", HOME)
        return taken

    def entered(self) -> None:
        """Note that there is one sandbox more."""
        with self._lock:
            self._sandboxes += 1

    def left(self) -> None:
        """Note that one has ended: without any, templates are of no use for long."""
        with self._lock:
            self._sandboxes -= 1
            used = any(slot.template for slot in self._slots.values())
            if self._sandboxes or not used or self._leaving:
                return
            self._leaving = threading.Timer(UNUSED, self._rest_if_unused)
            self._leaving.daemon = True
            with contextlib.suppress(RuntimeError):  # at the interpreter's end, which ends them as well
                self._leaving.start()

    def _rest_if_unused(self) -> None:
        with self._lock:
            self._leaving = None
            if self._sandboxes:
                return
        self.rest()

    def rest(self) -> None:
        """End all templates and return when they are gone. The next launch of a kind starts one again."""
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            slot.close()

    def abandon(self) -> None:
        """In a forked child: they are the parent's."""
        slots, self._slots = self._slots, OrderedDict()
        self._sandboxes, self._leaving = 0, None
        self._lock = threading.Lock()  # some thread of the parent may hold the old one
        for slot in slots.values():
            slot.abandon()


TEMPLATES: Final = Templates()
"""Those of this process."""

os.register_at_fork(after_in_child=TEMPLATES.abandon)
atexit.register(TEMPLATES.rest)
