"""The directories of the host that a container is given: judged as for every engine, and then more.

A daemon mounts by path, on its own machine, with root's rights. So: nothing is granted on a daemon
that is elsewhere, where the path means something else; what is mounted is the real path, in which
no link is left to be turned; and whether the container's user may read it is asked here, where the
answer can be a sentence.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from msgspec import Struct

import sandbox_kernel
from sandbox_kernel.errors import StartError, WorkspaceError
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import Facts
from sandbox_kernel.host.engines.docker.guest import PLACE
from sandbox_kernel.host.engines.doors import find_doors
from sandbox_kernel.host.engines.grants import Grant, close_all, open_grants
from sandbox_kernel.host.engines.interpreter import look_at_interpreter, our_interpreter
from sandbox_kernel.host.engines.paths import between, depth, is_below, is_within
from sandbox_kernel.policy import Policy

NOBODY: Final = 65534
"""Who root's containers run as, unless the notebook's directory is somebody's: nobody's files, by custom."""

NOTHING: Final = str(Path(sandbox_kernel.__file__).with_name("py.typed"))
"""An empty file, which covers a socket or a named pipe."""


class Bind(Struct, frozen=True):
    """A path of the daemon's machine, and where the container sees it."""

    source: str
    target: str
    writable: bool


class Granted(Struct, frozen=True):
    """What a container is given of the host, and as whom it runs."""

    binds: tuple[Bind, ...] = ()
    uid: int = NOBODY
    gid: int = NOBODY


def grant(policy: Policy, launch: Launch, address: Address, facts: Facts) -> Granted:
    """Judge what the policy grants for a launch.

    :raises WorkspaceError: something must not be granted, or cannot be: says what to do.
    """
    uid, gid = _identity(policy, launch.directory, facts)
    if policy.workspace == "none" and not policy.mounts:
        return Granted((), uid, gid)
    if not facts.local:
        what = policy.mounts[0].rpartition(":")[0] if policy.workspace == "none" else launch.directory
        raise WorkspaceError(
            f"{facts.product} at {address} is not on this machine, so {what} is not there. Share nothing "
            f"(workspace none, no mounts), or use the engine bubblewrap."
        )
    opened = open_grants(policy, launch.directory)
    try:
        grants = [one.grant for one in opened]
        for each in grants:
            _judge(each, address)
            _require_rights(each, uid, gid, userns=facts.userns and not facts.podman)
        # gVisor lets nobody connect to what is the host's; covers for it are more than it can mount.
        closed = () if facts.is_gvisor(policy.runtime) else _closed(grants)
        binds = [*_shown(grants), *closed, *_kept(grants, _environments(launch))]
        if facts.podman:
            _require_plain(binds)
    finally:
        close_all(opened)
    return Granted(tuple(sorted(binds, key=lambda bind: depth(bind.target))), uid, gid)


def _identity(policy: Policy, directory: Path, facts: Facts) -> tuple[int, int]:
    """Return who the container runs as: whoever runs this; for root, whoever the directory belongs to."""
    if facts.userns and not facts.podman:
        return NOBODY, NOBODY  # numbers mean other people outside: nobody's are as good as any
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if policy.workspace != "none" and directory.is_dir():
        status = directory.stat()
        if status.st_uid != 0:
            return status.st_uid, status.st_gid or NOBODY
    return NOBODY, NOBODY


def _judge(each: Grant, address: Address) -> None:
    socket = os.path.realpath(address.socket) if address.socket else None
    for path in (each.path, each.real):
        if socket and is_within(socket, path):
            _refuse(
                path, f"holds {socket}, through which the whole machine can be had", "share another folder"
            )
        if is_within(path, PLACE) or is_within(PLACE, path):
            _refuse(path, f"would cover {PLACE}, where images keep their guest", "share another folder")


def _require_rights(each: Grant, uid: int, gid: int, *, userns: bool) -> None:
    """Refuse what the container's user could not use, with the numbers that explain it."""
    status = Path(each.real).stat()
    bits = status.st_mode
    if userns:
        bits <<= 6  # inside, everybody of this machine is somebody else
    elif status.st_uid == uid:
        pass
    elif status.st_gid == gid:
        bits <<= 3
    else:
        bits <<= 6
    wanted = stat.S_IRUSR | (stat.S_IXUSR if stat.S_ISDIR(status.st_mode) else 0)
    wanted |= stat.S_IWUSR if each.writable else 0
    if bits & wanted != wanted:
        use = "written to" if each.writable else "read"
        rights = "rwX" if each.writable else "rX"
        _refuse(
            each.path,
            f"cannot be {use} by the container's user (uid {uid}): it is uid {status.st_uid}'s, "
            f"mode {stat.S_IMODE(status.st_mode):o}",
            f"allow it (chmod o+{rights}), start the notebook as its owner, or use the engine bubblewrap",
        )


def _shown(grants: Iterable[Grant]) -> Iterator[Bind]:
    """Yield each grant where it was named and where it really is."""
    for each in grants:
        for path in dict.fromkeys((each.path, each.real)):
            yield Bind(each.real, path, each.writable)


def _closed(grants: Sequence[Grant]) -> Iterator[Bind]:
    """Yield a cover for each socket and named pipe that would be seen."""
    for door in find_doors(grants, ()):
        for target in _seen_at(door, grants):
            yield Bind(NOTHING, target, writable=False)


def _require_plain(binds: Iterable[Bind]) -> None:
    """Refuse paths that Podman's service would take for more mount options.

    It writes each mount as a line of fields with commas between and quotes nothing, so that code
    could have any folder of the machine mounted, or made its own, by the name of one of its files.
    """
    for bind in binds:
        for path in (bind.source, bind.target):
            if any(sign in ',"' or sign < " " for sign in path):
                _refuse(
                    repr(path),
                    "has a sign in its name (a comma, a quote, a line break) that Podman cannot mount",
                    "rename it, or use the engine docker or bubblewrap",
                )


def _seen_at(path: str, grants: Iterable[Grant]) -> list[str]:
    places = [(each.real, to) for each in grants for to in (each.path, each.real)]
    return list(dict.fromkeys(to + path.removeprefix(real) for real, to in places if is_below(path, real)))


def _kept(grants: Sequence[Grant], environments: Sequence[str]) -> Iterator[Bind]:
    """Yield what keeps code from replacing the host's Python through a writable grant.

    Each environment below one is mounted once more, read-only; so is, as it is, every directory
    between, for a mount point cannot be renamed.
    """
    for each in grants:
        if not each.writable:
            continue
        for place in environments:
            if is_within(each.real, place):
                _refuse(
                    each.path,
                    f"is part of the Python environment {place}, which a sandbox must not write to",
                    "put the notebook in a folder outside of it, or share it as ro",
                )
            if is_below(place, each.real):
                for to in dict.fromkeys((each.path, each.real)):
                    for path in between(each.real, place):
                        yield Bind(path, to + path.removeprefix(each.real), writable=True)
                    yield Bind(place, to + place.removeprefix(each.real), writable=False)


def _environments(launch: Launch) -> list[str]:
    """Return the real paths of the Python environments that this host uses."""
    interpreters = [our_interpreter()]
    with contextlib.suppress(StartError):  # the kernel's program is one of the image's
        interpreters.append(look_at_interpreter(launch.argv[0]))
    found = [place.real for interpreter in interpreters for place in interpreter.directories]
    found.append(os.path.realpath(Path(sandbox_kernel.__file__).parent))
    plug = find_spec("sandbox_provisioner")
    if plug is not None and plug.origin:
        found.append(os.path.realpath(Path(plug.origin).parent))
    outermost: list[str] = []
    for place in sorted(dict.fromkeys(found), key=depth):
        if not any(is_within(place, other) for other in outermost):
            outermost.append(place)
    return outermost


def _refuse(path: str, why: str, advice: str) -> NoReturn:
    raise WorkspaceError(f"{path} {why}; {advice}.")
