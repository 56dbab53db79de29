"""Opens what is bound, so that what was looked at is what is mounted.

Between looking at a path and mounting it, code in another sandbox that may write to a directory
above could put a link in its place, to somewhere that was never granted. So each source is
opened (O_PATH), the descriptor must lead to the very path that was judged, and it is the
descriptor that is mounted. A bubblewrap too old for that (it lacks --bind-fd) is given the
path: then a moment remains in which such a swap would not be noticed.
"""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap
from sandbox_kernel.host.engines.bubblewrap.descriptors import Descriptors
from sandbox_kernel.host.engines.bubblewrap.identity import Identity
from sandbox_kernel.host.engines.bubblewrap.operations import Bind, Origin, Place, bind_by_path
from sandbox_kernel.host.engines.grants import Opened


class Source(Struct, frozen=True):
    """Something that root attaches where the sandbox's user reaches it."""

    fd: int
    path: str
    directory: bool
    writable: bool
    idmap: tuple[int, int, int, int] | None
    """Owner and group on the host, uid and gid of the sandbox."""

    def order(self) -> dict[str, object]:
        """Return it as `stage` reads it."""
        return asdict(self)


class Opener:
    """Opens the sources of one launch."""

    def __init__(self, opened: Sequence[Opened], held: Descriptors) -> None:
        self._judged = {one.grant.real: one.fd for one in opened}
        self._held = held

    def open(self, step: Bind) -> int:
        """Return a descriptor for a step's source, kept with the launch's others.

        :raises StartError: it is gone, or leads elsewhere than when it was looked at.
        """
        if step.origin is Origin.GRANT and step.source in self._judged:
            return self._held.duplicate(self._judged[step.source])
        try:
            fd = self._held.keep(os.open(step.source, os.O_PATH | os.O_CLOEXEC))
        except OSError as error:
            raise StartError(f"{step.source} cannot be opened: {error.strerror}.") from error
        leads = str(Path(f"/proc/self/fd/{fd}").readlink())
        if step.origin is not Origin.OURS and leads != step.source:
            raise StartError(f"{step.source} was replaced while the sandbox was being built; start it again.")
        return fd


def place_for_user(wall: Bubblewrap, opener: Opener, held: Descriptors) -> Place:
    """Return where things are when bubblewrap reaches them itself."""
    by_descriptor = {"--bind-fd", "--ro-bind-fd"} <= wall.options

    def bind(step: Bind) -> list[str]:
        if step.origin is Origin.SYSTEM:
            return bind_by_path(step)
        fd = opener.open(step)
        if not by_descriptor:
            return bind_by_path(step)
        return ["--bind-fd" if step.writable else "--ro-bind-fd", str(fd), step.target]

    return Place(bind, _data(held))


def place_for_root(
    staged: str, opener: Opener, who: Identity, held: Descriptors
) -> tuple[Place, list[Source]]:
    """Return where things are after `stage`, and the list of what it is to attach, filled as it is used."""
    sources: list[Source] = []

    def bind(step: Bind) -> list[str]:
        if step.origin is Origin.SYSTEM:
            return bind_by_path(step)
        sources.append(_source(step, opener.open(step), who))
        return ["--bind" if step.writable else "--ro-bind", f"{staged}/{len(sources) - 1}", step.target]

    return Place(bind, _data(held)), sources


def _source(step: Bind, fd: int, who: Identity) -> Source:
    """Return what the stage must know; the owner of what was granted becomes the sandbox."""
    status = os.fstat(fd)
    granted = step.origin is Origin.GRANT
    idmap = (status.st_uid, status.st_gid, who.uid, who.gid) if granted else None
    return Source(fd, step.source, stat.S_ISDIR(status.st_mode), step.writable, idmap)


def _data(held: Descriptors) -> Callable[[str], int]:
    return lambda content: held.holding(content.encode())
