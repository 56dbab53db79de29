"""Versions of the programs around a sandbox that have known holes.

Only what code inside, or somebody who grants folders to it, could have to do with is listed. A version number
is a hint: distributions close holes and keep the number, so each finding says where to look.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BACKPORTS: Final = (
    "Distributions close holes without changing the version: look for the number in the package's changelog "
    "(`apt changelog {package}`) before you worry."
)


@dataclass(frozen=True, slots=True)
class Hole:
    """A program whose version has a known hole."""

    program: str
    version: str
    names: tuple[str, ...]
    """CVE numbers."""
    fixed: str
    sandboxes: str
    """What it means for sandboxes."""
    advice: str


@dataclass(frozen=True, slots=True)
class _Known:
    program: str
    names: tuple[str, ...]
    fixed: tuple[str, ...]
    """The first version of each series that has the fix, oldest series first."""
    sandboxes: str


KNOWN: Final = (
    _Known(
        "runc",
        ("CVE-2024-21626",),
        ("1.1.12",),
        "Not reached: the working directory is fixed, and nothing is executed in a running container.",
    ),
    _Known(
        "runc",
        ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"),
        ("1.2.8", "1.3.3", "1.4.0"),
        "Not reached by code in a notebook: it takes a hostile image, a terminal, or mounts shared with "
        "another container that are no granted folders.",
    ),
    _Known(
        "containerd",
        ("CVE-2020-15257",),
        ("1.3.9", "1.4.3"),
        "Not reached: sandboxes never share the host's network namespace.",
    ),
    _Known(
        "docker",
        ("CVE-2026-41567", "CVE-2026-41568", "CVE-2026-42306"),
        ("29.5.1",),
        "Not reached: nothing is copied into or out of a container. `docker cp` by hand would be.",
    ),
    _Known(
        "bubblewrap",
        ("CVE-2024-42472",),
        ("0.10.0",),
        "An ordinary user's sandbox could be given another folder than the one that was judged, by code "
        "that may write beside a granted folder at that moment.",
    ),
    _Known(
        "gvisor",
        ("CVE-2025-2713",),
        ("20250319",),
        "Not reached: notebook code runs in a child of the first process.",
    ),
)
PACKAGES: Final = {"docker": "docker.io", "gvisor": "runsc"}


def known_holes(versions: Mapping[str, str]) -> list[Hole]:
    """Return what is known about programs of these versions; unreadable versions are passed over."""
    return [
        Hole(
            known.program,
            versions[known.program],
            known.names,
            " or ".join(known.fixed),
            known.sandboxes,
            BACKPORTS.format(package=PACKAGES.get(known.program, known.program)),
        )
        for known in KNOWN
        if known.program in versions and is_before(versions[known.program], known.fixed)
    ]


def is_before(version: str, fixed: tuple[str, ...]) -> bool:
    """Say whether a version comes before the fix of its own series, or of the oldest that has one."""
    here = numbers(version)
    if not here:
        return False
    fixes = [numbers(text) for text in fixed]
    same = [fix for fix in fixes if fix[:2] == here[:2]]
    return here < (same[0] if same else fixes[0])


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the start of a version, empty where there are none.

    gVisor's are dates, which Debian writes behind 0.0~.
    """
    if found := re.search(r"(?<!\d)(20\d{6})(?!\d)", version):
        return (int(found[1]),)
    found = re.match(r"v?(\d{1,6}(?:\.\d{1,6}){0,3})", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()
