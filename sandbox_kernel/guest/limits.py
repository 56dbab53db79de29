"""What the guest sees of its own limits. For the log and for people; nothing is decided by it."""

from __future__ import annotations

import os
import resource

from sandbox_kernel.wire.named import suppress

_CGROUP_FILES = {
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "cpu": ("cpu.max",),
    "pids": ("pids.max", "pids/pids.max"),
}


def visible_limits() -> dict[str, int | str]:
    """Return the limits by name; -1 means that there is none."""
    limits: dict[str, int | str] = {
        "files": _soft(resource.RLIMIT_NOFILE),
        "processes": _soft(resource.RLIMIT_NPROC),
        "address_space": _soft(resource.RLIMIT_AS),
        "cpus": len(os.sched_getaffinity(0)),
    }
    for name, paths in _CGROUP_FILES.items():
        for path in paths:
            with suppress(OSError), open(f"/sys/fs/cgroup/{path}", encoding="ascii") as file:
                limits[f"cgroup_{name}"] = file.read(64).strip()
                break
    return limits


def _soft(what: int) -> int:
    return resource.getrlimit(what)[0]
