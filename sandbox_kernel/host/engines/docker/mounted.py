"""Whether what a daemon has mounted is what was judged.

A daemon mounts by path, and follows links as it does. Between the judgement of a folder and its
mount, code in another sandbox that may write to a folder above can put a link in its place, and
win: the folder that the link leads to, any of the machine, would be mounted instead. So the
container's own list of mounts is compared with the paths that were judged, before it is given
anything to run. Paths in that list are those that the kernel has found, without links.

gVisor's list is of no use, for its mounts are another process's; nor is one that cannot be seen.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.docker.grants import NOTHING, Bind
from sandbox_kernel.host.engines.paths import is_within

PROC: Final = Path("/proc")


class Mount(NamedTuple):
    """A directory of a file system, and where it is seen."""

    point: str
    device: str
    path: str


def require_as_judged(
    binds: Iterable[Bind], container: str, pid: int, proc: Path = PROC, *, hidden: bool = False
) -> None:
    """Refuse a container in which something else is mounted; pid is its first process.

    :param hidden: the daemon is known to count processes in a namespace of its own.
    :raises WorkspaceError: a path was changed since it was judged, or what is mounted cannot be seen.
    """
    try:
        if container not in (proc / str(pid) / "cgroup").read_text(errors="replace"):
            if hidden:
                return
            raise WorkspaceError(
                "The daemon counts processes in another namespace than this program, so its folders may be "
                "others as well (a program in a container, beside its host's daemon?). Use workspace none."
            )
        inside = _mounts(proc / str(pid) / "mountinfo")
    except OSError:  # it has ended
        return
    outside = _mounts(proc / "self" / "mountinfo")
    for bind in binds:
        if bind.source == NOTHING:
            continue
        meant = _meant(bind.source, outside)
        here = [mount for mount in inside if mount.point == bind.target]
        # An image with links on the way to the target has it elsewhere.
        if not any((mount.device, mount.path) in meant for mount in here[-1:] or inside):
            raise WorkspaceError(
                f"{bind.target} was changed while it was being mounted; start the kernel again when "
                f"nothing else moves or replaces folders there."
            )


def _meant(path: str, mounts: Sequence[Mount]) -> set[tuple[str, str]]:
    """Return the device and the path on it that a path without links can mean; looks at its text only.

    Several where a file system is mounted below another: those that are covered cannot be reached.
    """
    return {
        (mount.device, _joined(mount.path, path[len(mount.point.rstrip("/")) :]))
        for mount in mounts
        if is_within(path, mount.point)
    }


def _joined(path: str, rest: str) -> str:
    return os.path.normpath(path.rstrip("/") + rest) if rest else path


def _mounts(file: Path) -> list[Mount]:
    found = []
    for line in file.read_text(errors="surrogateescape").split("\n")[:-1]:
        _, _, device, path, point = map(_plain, line.split(" ")[:5])
        found.append(Mount(point, device, path))
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
