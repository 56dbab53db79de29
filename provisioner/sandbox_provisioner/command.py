"""Which command runs behind the wall, given a kernelspec's argv.

Our own kernelspecs carry a launcher as their argv, so that programs which ignore
provisioners get a sandbox too. Inside a sandbox the launcher has no business: in its place
runs ipykernel, and the interpreter's options that protect the launcher go with it: a cell
expects to import from the notebook's folder. Any other argv (``exec -- papermill -k python3``) runs as it is.

jupyter_client's own `format_kernel_cmd` will not do: it fills in the connection file's path
on the host.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.base import CONNECTION_FILE

LAUNCHER: Final = ("-m", "sandbox_provisioner")
SAFE: Final = ("-E", "-P")
"""The interpreter's options that keep the launcher from importing what lies in the notebook's folder."""
_ISOLATION: Final = re.compile(r"-[EIP]+")
_IPYKERNEL: Final = ("-Xfrozen_modules=off", "-m", "ipykernel_launcher")
"""As in ipykernel's own kernelspec: the debugger cannot see into frozen modules, and warns of them."""

_HISTORY: Final = "--HistoryManager.hist_file"
_NO_HISTORY: Final = f"{_HISTORY}=:memory:"
"""A history file would end with the sandbox. nbclient says so too, but only to kernels named python3."""

_PYTHONS: Final = frozenset({
    "python",
    f"python{sys.version_info.major}",
    f"python{sys.version_info.major}.{sys.version_info.minor}",
})  # fmt: skip


def kernel_command(
    argv: Sequence[str], extra_arguments: Sequence[str] = (), *, resource_dir: str = ""
) -> tuple[str, ...]:
    """Return the command to run inside, with CONNECTION_FILE where the path will be filled in.

    :raises StartError: the program is not on this machine, or is not told its connection file.
    """
    filled = [_fill(part, {"{prefix}": sys.prefix, "{resource_dir}": resource_dir}) for part in argv]
    if not filled:
        raise StartError("The kernelspec's argv is empty; it must name a program to run.")
    command = [_program(filled[0]), *_without_launcher(filled[1:], extra_arguments), *extra_arguments]
    if sum(part.count(CONNECTION_FILE) for part in command) != 1:
        raise StartError(f"The kernelspec's argv must contain {CONNECTION_FILE} once; it is {list(argv)!r}.")
    return tuple(command)


def _fill(part: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        part = part.replace(name, value)
    return part


def _program(name: str) -> str:
    """Return a program's absolute path; plain "python" is this interpreter, as in jupyter_client."""
    if name in _PYTHONS:
        return sys.executable
    path = shutil.which(name)
    if path is None:
        raise StartError(f"The kernelspec's program {name!r} is not installed here.")
    return os.path.abspath(path)  # noqa: PTH100 - resolving links would leave a virtual environment


def _without_launcher(arguments: list[str], extra_arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ipykernel in the place of our launcher, if it is there."""
    for index in range(len(arguments) - 1):
        if (arguments[index], arguments[index + 1]) == LAUNCHER:
            rest = arguments[index + 2 :]
            history = [] if _names_history([*rest, *extra_arguments]) else [_NO_HISTORY]
            options = [part for part in arguments[:index] if not _ISOLATION.fullmatch(part)]
            return [*options, *_IPYKERNEL, *rest, *history]
    return arguments


def _names_history(arguments: Sequence[str]) -> bool:
    """Tell whether a history file is named; naming it twice is an error to ipykernel."""
    return any(argument.startswith(_HISTORY) for argument in arguments)
