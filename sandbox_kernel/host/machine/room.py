"""What a policy allows beyond what this machine has.

That is no weaker wall: a limit out of reach is kept by nature. But who asks for 900 GiB should hear
that they will not get them, and what happens instead.
"""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox_kernel.policy import Policy, format_size


@dataclass(frozen=True, slots=True)
class Room:
    """What there is of each, for all programs together."""

    memory: int
    """Bytes, swap included."""
    cpus: int
    pids: int
    files: int
    """Open files of a process that is started from here; containers start elsewhere."""


def room_here() -> Room:
    """Return what this machine has."""
    return Room(_memory(), os.cpu_count() or 1, _pids(), resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def beyond(policy: Policy, room: Room, *, started_here: bool) -> Iterator[str]:
    """Yield a sentence on each size of the policy that a sandbox will not have; it begins with the field.

    :param started_here: a sandbox's processes are children of this one, as bubblewrap's are.
    """
    if policy.memory > room.memory:
        has = format_size(room.memory)
        yield (
            f"memory is {format_size(policy.memory)}, but this machine has {has}, swap included: "
            "where they end, Linux chooses what to kill, here or elsewhere."
        )
    if policy.tmp > policy.memory:
        yield (
            f"tmp is {format_size(policy.tmp)}, but it is held in memory, of which the policy grants "
            f"{format_size(policy.memory)}: who writes more is killed."
        )
    if policy.cpus > room.cpus:
        yield f"cpus is {policy.cpus:g}, but this machine has {room.cpus}: a sandbox may use all of them."
    if policy.pids > room.pids:
        yield (
            f"pids is {policy.pids}, but Linux gives this machine {room.pids} in all: "
            "a sandbox may take them from everybody else."
        )
    if started_here and policy.files > room.files:
        yield f"files is {policy.files}, but no program started from here may open more than {room.files}."


def _memory() -> int:
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    sizes = dict(line.split(":", 1) for line in text.splitlines())
    return sum(int(sizes[name].split()[0]) << 10 for name in ("MemTotal", "SwapTotal"))


def _pids() -> int:
    return min(
        int(Path("/proc/sys/kernel", name).read_text(encoding="ascii")) for name in ("pid_max", "threads-max")
    )
