"""Reads the system call list in the one source; refuses what it does not understand.

Only what our own list uses of Docker's format is read. A key, an action or a comparison that
is not known here is an error: a rule that is read wrongly is a hole.
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

MASKED_EQ = "SCMP_CMP_MASKED_EQ"
ALLOW = "SCMP_ACT_ALLOW"
ERRNO = "SCMP_ACT_ERRNO"


class Architecture(Enum):
    """A processor architecture: its name in the list, and its number in the kernel's audit headers."""

    X86_64 = ("SCMP_ARCH_X86_64", 0xC000003E)
    AARCH64 = ("SCMP_ARCH_AARCH64", 0xC00000B7)

    @property
    def token(self) -> int:
        """Return AUDIT_ARCH_…, which is also libseccomp's token."""
        return self.value[1]

    @property
    def machine(self) -> str:
        """Return the name that `platform.machine()` uses."""
        return self.name.lower()


class Condition(Struct, frozen=True):
    """Holds when argument `index`, of the bits in `mask`, equals `value`.

    The only comparison used: with a mask of 32 bits it looks at just what the kernel looks at,
    so setting bits that the kernel drops does not get past it.
    """

    index: int
    mask: int
    value: int


class Rule(Struct, frozen=True):
    """What to do about one system call when all conditions hold; `errno` None is allow."""

    name: str
    errno: int | None
    conditions: tuple[Condition, ...]


class Rules(Struct, frozen=True):
    """The whole list: what happens to each call, and to all others."""

    default_errno: int
    architectures: tuple[Architecture, ...]
    rules: tuple[Rule, ...]


def parse(text: str) -> Rules:
    """Read a list from its JSON text.

    :raises ValueError: something in it is not understood.
    """
    document = json.loads(text)
    _only(document, "defaultAction", "defaultErrnoRet", "archMap", "syscalls")
    if document["defaultAction"] != ERRNO:
        raise ValueError(f"defaultAction is {document['defaultAction']!r}; only {ERRNO} makes an allow-list.")
    return Rules(
        default_errno=int(document["defaultErrnoRet"]),
        architectures=tuple(_architecture(entry) for entry in document["archMap"]),
        rules=tuple(rule for entry in document["syscalls"] for rule in _entry(entry)),
    )


def _architecture(entry: Mapping[str, Any]) -> Architecture:
    _only(entry, "architecture", "subArchitectures")
    if entry["subArchitectures"]:
        raise ValueError("subArchitectures would let 32-bit calls in; leave it empty.")
    return next(arch for arch in Architecture if arch.value[0] == entry["architecture"])


def _entry(entry: Mapping[str, Any]) -> Iterator[Rule]:
    _only(entry, "comment", "names", "action", "errnoRet", "args")
    if entry["action"] not in (ALLOW, ERRNO):
        raise ValueError(f"{entry['names']}: action {entry['action']!r} is neither {ALLOW} nor {ERRNO}.")
    if (entry["action"] == ERRNO) != ("errnoRet" in entry):
        raise ValueError(f"{entry['names']}: {ERRNO}, and only it, takes an errnoRet.")
    conditions = tuple(_condition(arg) for arg in entry.get("args", ()))
    if len({condition.index for condition in conditions}) != len(conditions):
        raise ValueError(
            f"{entry['names']}: one argument is compared twice; runtimes disagree on its meaning."
        )
    for name in entry["names"]:
        yield Rule(name, entry.get("errnoRet"), conditions)


def _condition(arg: Mapping[str, Any]) -> Condition:
    _only(arg, "index", "value", "valueTwo", "op")
    if arg["op"] != MASKED_EQ:
        raise ValueError(
            f"comparison {arg['op']!r}: only {MASKED_EQ} looks at the bits that the kernel looks at."
        )
    return Condition(int(arg["index"]), int(arg["value"]), int(arg["valueTwo"]))


def _only(entry: Mapping[str, Any], *known: str) -> None:
    unknown = set(entry) - set(known)
    if unknown:
        raise ValueError(f"{sorted(unknown)} is not understood here; known are {', '.join(known)}.")
