"""Who a sandbox's processes are on the host.

An ordinary user's sandbox runs as that user. Root's never runs as root (see `stage`): each
gets a uid of its own from a range that nobody uses, so that what the kernel counts or
permits per user (processes, inotify watches, keyrings, signals) is never shared with a
person, a service, or another sandbox.

The range is 1,900,000,000 + 2^26: between what systemd gives to containers (up to
1,879,048,191) and what it reserves above 2,147,352,576. Where the host's own user namespace
does not map it (in a container), all sandboxes are uid 65534, "nobody".
"""

import os
from functools import cache
from pathlib import Path
from typing import Final, TypedDict

from msgspec import Struct

FIRST: Final = 1_900_000_000
COUNT: Final = 1 << 26
NOBODY: Final = 65534


class SubprocessOptions(TypedDict, total=False):
    """Arguments of subprocess.Popen by which a child becomes somebody else."""

    user: int
    group: int
    extra_groups: list[int]


class Identity(Struct, frozen=True):
    """A user and group of the host; `dropped` where that is not who runs this."""

    uid: int
    gid: int
    dropped: bool

    def subprocess_options(self) -> SubprocessOptions:
        """Return what makes a child of this process this somebody."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.dropped else {}


def identity_for(name: str) -> Identity:
    """Return who the sandbox of the launch with this (hexadecimal) name is."""
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), dropped=False)
    uid = FIRST + int(name[-8:], 16) % COUNT if _range_is_mapped() else NOBODY
    return Identity(uid, uid, dropped=True)


def trial_identity() -> Identity:
    """Return somebody like a sandbox's, for trying things out."""
    return identity_for("00000000")


@cache
def _range_is_mapped() -> bool:
    return all(
        covers(Path(f"/proc/self/{name}").read_text(), FIRST, COUNT) for name in ("uid_map", "gid_map")
    )


def covers(id_map: str, first: int, count: int) -> bool:
    """Say whether one line of a uid_map or gid_map covers a whole range."""
    for line in id_map.splitlines():
        start, _, length = (int(number) for number in line.split())
        if start <= first and first + count <= start + length:
            return True
    return False
