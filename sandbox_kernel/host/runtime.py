"""Where this user's running sandboxes are noted, and their sockets lie.

Apart from `front`, so that whoever only looks (`sandbox-kernel ps`) need not load ZeroMQ.
"""

import os
import stat
from pathlib import Path

MAX_SOCKET_PATH = 107
"""Bytes of a unix socket's path on Linux (sun_path, less its NUL)."""

_NAME = "sandbox-kernel"


def runtime_bases() -> list[Path]:
    """Return where this user's sandboxes may keep their sockets, best first; none need exist.

    More than one, because anybody may have made the one in /tmp before us.
    """
    places = [Path(os.environ.get("XDG_RUNTIME_DIR", "")), Path(f"/run/user/{os.getuid()}")]
    bases = [place / _NAME for place in places if place.is_absolute() and is_private(place)]
    bases.append(Path(f"/tmp/{_NAME}-{os.getuid()}"))  # noqa: S108 - made 0700 and its owner is checked
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises where there is none
    if home.startswith("/"):
        bases.append(Path(home, ".cache", _NAME))
    longest = len("/12345678/k-5")
    return list(dict.fromkeys(base for base in bases if len(os.fsencode(base)) + longest <= MAX_SOCKET_PATH))


def is_private(path: Path) -> bool:
    """Return whether a directory is this user's and closed to all others."""
    try:
        status = path.lstat()
    except OSError:
        return False
    private = not stat.S_IMODE(status.st_mode) & 0o077
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and private
