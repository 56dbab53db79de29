"""From the steps that build a root to the rules of its second wall: a pure function, per ABI."""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sandbox_kernel.host.engines.bubblewrap.operations import Bind, Fresh, Operation, Tmpfs

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER: Final = 1 << 13
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15
"""The kernel's LANDLOCK_ACCESS_FS_…; 4 to 12 are removing and making files of each kind."""

ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1
"""LANDLOCK_SCOPE_…: the wall's inside reaches its own only."""

OLDEST: Final = 2
"""The first ABI that is used. ABI 1 forbids moving files from one folder to another wherever it stands."""

_FILES: Final = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
"""What each ABI added to what can be forbidden about files."""

_SCOPES: Final = {6: ABSTRACT_SOCKETS | SIGNALS}

LOOK: Final = EXECUTE | READ_FILE | READ_DIR
DEVICES: Final = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV


class Ruleset(Struct, frozen=True):
    """What is forbidden everywhere, and what of it is allowed below which path inside."""

    files: int
    scopes: int
    rules: tuple[tuple[str, int], ...]

    def without_signals(self) -> "Ruleset":
        """Return the same without a bound for signals, for who must reach a process that is not below it."""
        return replace(self, scopes=self.scopes & ~SIGNALS)

    def attributes(self, abi: int) -> bytes:
        """Return struct landlock_ruleset_attr, as large as this ABI knows it.

        TCP ports, which ABI 4 added, are not restricted: the sandbox's network is its own loopback.
        """
        if abi >= min(_SCOPES):
            return struct.pack("=QQQ", self.files, 0, self.scopes)
        return struct.pack("=Q", self.files)


def ruleset(steps: Iterable[Operation], abi: int) -> Ruleset | None:
    """Return the rules for a root that these steps build, or None where there is no wall of use."""
    if abi < OLDEST:
        return None
    files = _known(_FILES, abi)
    everything = files & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
    rules = {"/": LOOK & files}
    for step in steps:
        match step:
            case Tmpfs(target=target) | Bind(target=target, writable=True):
                rules[target] = everything
            case Fresh(kind="dev", target=target):
                rules[target] = DEVICES & files
            case _:
                pass
    return Ruleset(files, _known(_SCOPES, abi), tuple(rules.items()))


def _known(added: dict[int, int], abi: int) -> int:
    found = 0
    for since, bits in added.items():
        if abi >= since:
            found |= bits
    return found


def signals_only(abi: int) -> bytes:
    """Return the attributes of a wall that bounds signals and nothing else; empty where there is no such."""
    scopes = _known(_SCOPES, abi) & SIGNALS
    return struct.pack("=QQQ", 0, 0, scopes) if scopes else b""


def within(walls: Ruleset, abi: int, program: str, python: str, inner: Sequence[str]) -> list[str]:
    """Return a command line that raises the wall and becomes `inner`.

    :param program: where `raise_wall.py` is seen inside, and `python` what runs it.
    """
    words = [walls.attributes(abi).hex(), str(len(walls.rules))]
    words += [word for path, access in walls.rules for word in (path, str(access))]
    options = ["-I", "-S", "-B"]
    if list(inner[:4]) == [python, *options]:  # a guest: no second Python is started
        inner = inner[4:]
    return [python, *options, program, *words, *inner]
