"""The command line of bubblewrap for one launch, and the descriptors that it names."""

from collections.abc import Sequence
from typing import Final

from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap
from sandbox_kernel.host.engines.bubblewrap.layout import LIBRARY
from sandbox_kernel.host.engines.bubblewrap.operations import Operation, Place, arguments
from sandbox_kernel.host.engines.bubblewrap.system import UID
from sandbox_kernel.host.engines.interpreter import Interpreter

GUEST: Final = f"{LIBRARY}/sandbox_kernel/guest/__main__.py"

BARE: Final = ("-I", "-S", "-B")
"""Isolated, without looking for packages, and writing no bytecode."""


def guest_command(interpreter: Interpreter) -> list[str]:
    """Return what runs inside as PID 1: our interpreter, of which the standard library will do."""
    return [interpreter.executable, *BARE, GUEST]


def command(
    wall: Bubblewrap, steps: Sequence[Operation], inner: Sequence[str], *, seccomp: int, place: Place
) -> list[str]:
    """Return the whole command line."""
    identity = ["--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"]
    filters = ["--seccomp", str(seccomp)]
    return [
        *(wall.path, *wall.walls(), *identity, *filters),
        *arguments(steps, place),
        *("--chdir", "/", "--setenv", "LANG", "C.UTF-8", "--"),
        *inner,
    ]
