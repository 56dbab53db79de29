"""Which directories of the host may be shown, and opening them so that what is judged is what is bound.

Refused, with a sentence: the system's own directories, sockets' and devices' places, the home
of the person who runs this and all above it (it holds keys), whatever is hidden in a home
(a name with a dot: there programs keep keys, tokens, start files and sockets, and no list of
them is ever complete), and whatever is no directory or plain file. A path is opened first (O_PATH, links
followed), then judged by where it really leads, and bound through the descriptor: a link
that is swapped meanwhile changes nothing.
"""

import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

from msgspec import Struct

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.paths import follow, is_below, is_within
from sandbox_kernel.policy import Policy

SYSTEM: Final = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
)
"""Neither these nor anything below them."""

VAR_FOR_PEOPLE: Final = (
    "/var/home",
    "/var/mnt",
    "/var/opt",
    "/var/roothome",
    "/var/srv",
    "/var/tmp",  # noqa: S108
    "/var/www",
)
"""Below /var, where some systems keep what others keep elsewhere: refused themselves, not below."""

SHARED: Final = ("/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/dev/shm", *VAR_FOR_PEOPLE)  # noqa: S108
"""Not these, for they hold many people's or programs' things; below them is fine."""

HOMES_PARENTS: Final = ("/home", "/var/home")
HOMES: Final = ("/root", "/var/roothome")
"""Where homes are, whoever's: what is hidden in one is refused."""

SOCKETS: Final = tuple(
    f"{place}/{start}"
    for place in ("/tmp", "/var/tmp")  # noqa: S108 - what is refused; nothing is opened
    for start in (
        ".ICE-unix",
        ".Test-unix",
        ".X11-unix",
        ".XIM-unix",
        ".font-unix",
        "sandbox-kernel-",
        "snap-private-tmp",
        "systemd-private-",
        "tmux-",
    )
)
"""How paths begin where other programs, and our own host side, keep sockets."""


class Grant(Struct, frozen=True):
    """A directory or file that the policy shows inside, opened."""

    path: str
    """As it was named; where it is seen inside."""
    real: str
    """Where that leads; it is seen there too."""
    writable: bool
    uid: int = 0
    gid: int = 0
    """Whose it is on the host."""


class Opened(Struct):
    """A grant and the descriptor (O_PATH) it was judged by; closes it."""

    grant: Grant
    fd: int

    def close(self) -> None:
        """Close the descriptor; idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


_FOLDER_ADVICE: Final = (
    "put the notebook in a folder of its own and start the kernel there (papermill and run: --cwd DIR; "
    "Sandbox: directory=DIR), or share none (--workspace none, or SANDBOX_KERNEL_WORKSPACE=none)"
)
_MOUNT_ADVICE: Final = "mount a folder that holds what is needed and nothing else"
_TREES_ADVICE: Final = "mount what lies in one of the allowed trees (allowed_mounts)"


def open_grants(policy: Policy, directory: Path) -> list[Opened]:
    """Open what a policy grants for a notebook in `directory`; outermost first, each path once.

    :raises WorkspaceError: one of them cannot be granted; none stays open.
    """
    wanted: dict[str, bool] = {}
    if policy.workspace != "none":
        if directory.exists() and not directory.is_dir():
            _refuse(str(directory), "is no directory", "name the one that the notebook is in")
        wanted[os.path.normpath(directory)] = policy.workspace == "rw"
    mounts = {str(mount.path): mount.mode == "rw" for mount in policy.granted_mounts()}
    wanted |= mounts
    opened: list[Opened] = []
    try:
        for path, writable in sorted(wanted.items()):
            advice = _MOUNT_ADVICE if path in mounts else _FOLDER_ADVICE
            opened.append(one := open_grant(path, writable=writable, advice=advice))
            if path in mounts and not policy.may_mount(one.grant.real, writable=writable):
                _refuse(
                    path, f"leads to {one.grant.real}, which the administrator does not allow", _TREES_ADVICE
                )
        _judge_links(opened)
    except BaseException:
        close_all(opened)
        raise
    return opened


def _judge_links(opened: Sequence[Opened]) -> None:
    """Refuse a grant that is reached through a link which code in a writable one could turn elsewhere."""
    writable = {place for one in opened if one.grant.writable for place in (one.grant.path, one.grant.real)}
    for one in opened:
        for link in follow(one.grant.path)[0]:
            if any(is_below(link.path, place) for place in writable):
                _refuse(
                    one.grant.path,
                    f"is reached through {link.path}, which code could change",
                    "name its real path",
                )


def close_all(opened: Iterable[Opened]) -> None:
    """Close every descriptor."""
    for one in opened:
        one.close()


def open_grant(path: str, *, writable: bool, advice: str = _FOLDER_ADVICE) -> Opened:
    """Open one directory or file and judge where it leads; `advice` completes a refusal.

    :raises WorkspaceError: it does not exist, or must not be granted.
    """
    if not path.startswith("/"):
        _refuse(path, "is not an absolute path", "name it in full")
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        status, real = os.fstat(fd), str(Path(f"/proc/self/fd/{fd}").readlink())
        _judge_kind(path, status.st_mode)
        for place in dict.fromkeys((path, real)):
            judge(place, homes(status.st_uid), advice)
    except BaseException:
        os.close(fd)
        raise
    return Opened(Grant(path, real, writable, status.st_uid, status.st_gid), fd)


def _judge_kind(path: str, mode: int) -> None:
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        _refuse(path, "is neither a directory nor a plain file", "grant the directory that holds the data")


def homes(owner: int) -> tuple[str, ...]:
    """Return the homes of the person who runs this and of the owner of what is granted."""
    found = [os.environ.get("HOME", ""), _home(os.geteuid()), _home(owner)]
    real = (path for home in found for path in (home, os.path.realpath(home or "/")))
    return tuple(dict.fromkeys(path for path in real if path.startswith("/") and path != "/"))


@cache
def _home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def judge(path: str, known_homes: Iterable[str], advice: str = _FOLDER_ADVICE) -> None:
    """Refuse a path that must not be granted; looks at its text only.

    :raises WorkspaceError: says which rule it breaks and what to do.
    """
    kept = tuple(known_homes)
    for home in kept:
        if is_within(home, path):
            _refuse(path, "is a home directory, or holds one, and with it keys and passwords", advice)
    if _is_hidden(path, kept):
        _refuse(path, "is hidden in a home, where programs keep keys and settings", advice)
    if path in SHARED:
        _refuse(path, "is shared by many programs and people", advice)
    if path.startswith(SOCKETS) or _is_runtime(path):
        _refuse(path, "holds sockets of running programs", advice)
    if _is_system(path, kept):
        _refuse(path, "belongs to the system", advice)


def _is_hidden(path: str, known_homes: Iterable[str]) -> bool:
    """Say whether the first name below a home begins with a dot."""
    if any(path.startswith(f"{home}/.") for home in (*known_homes, *HOMES)):
        return True
    below = (path.removeprefix(f"{place}/").split("/") for place in HOMES_PARENTS if is_below(path, place))
    return any(len(names) > 1 and names[1].startswith(".") for names in below)


def _is_runtime(path: str) -> bool:
    """Say whether a path holds, or is in, a place for sockets and tokens of who runs this."""
    places = (os.environ.get(name, "") for name in ("XDG_RUNTIME_DIR", "JUPYTER_RUNTIME_DIR"))
    return any(is_within(path, place) or is_within(place, path) for place in places if place.startswith("/"))


def _is_system(path: str, known_homes: Iterable[str]) -> bool:
    below = [*VAR_FOR_PEOPLE, *(home for home in known_homes if home.startswith("/var/"))]
    if any(is_below(path, place) for place in below):
        return False
    return any(is_within(path, place) for place in SYSTEM)


def _refuse(path: str, why: str, advice: str) -> NoReturn:
    raise WorkspaceError(f"{path} {why}; {advice}.")
