"""Finds control groups of ours that a killed host process left behind."""

import time
from pathlib import Path

from sandbox_kernel.host.engines.bubblewrap.limits import group
from sandbox_kernel.host.engines.bubblewrap.limits.places import PREFIX, find_trees

YOUNG = 10.0
"""Seconds: a group that young may be one of a launch that has not moved its process in yet."""


def orphans(young: float = YOUNG) -> list[Path]:
    """Return the groups that are named like ours, hold no process, and may be removed."""
    found: set[Path] = set()
    for tree in find_trees():
        for parent in tree.ancestors():
            found.update(path for path in parent.glob(f"{PREFIX}*") if _forsaken(path, young))
    return sorted(found)


def _forsaken(path: Path, young: float) -> bool:
    try:
        age = time.time() - path.stat().st_ctime
    except FileNotFoundError:
        return False
    return age >= young and not group.members(path)
