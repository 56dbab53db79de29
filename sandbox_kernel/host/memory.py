"""How much memory there is for this process and what it starts: the machine's, or its control group's."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree, find_trees


class Memory(Struct, frozen=True):
    """In bytes; zeros where nobody says."""

    total: int
    available: int


def memory() -> Memory:
    """Return what this process may count on: a container's limit is often less than its machine has."""
    return bounded(_machine(), find_trees())


def bounded(machine: Memory, trees: Iterable[Tree]) -> Memory:
    """Return what is left of the machine's memory in our own control groups and those around them."""
    total, available = machine.total, machine.available
    for tree in trees:
        if tree.version == 1 and "memory" not in tree.controllers:
            continue
        for group in tree.ancestors():
            for limit, used in _limits(group):
                total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available)


def _limits(group: Path) -> Iterator[tuple[int, int]]:
    """Yield a group's limit and what is used of it, if it has one (version 2, version 1)."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        bound = _number(group / limit)
        if bound is not None:
            yield bound, _number(group / used) or 0


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # there is none, or it says "max"
        return None


def _machine() -> Memory:
    """Return what /proc/meminfo says, in KiB."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return Memory(0, 0)
    entries = dict(line.split(":", 1) for line in text.splitlines())
    total, available = (entries.get(name, "0 kB").split()[0] for name in ("MemTotal", "MemAvailable"))
    return Memory(int(total) * 1024, int(available) * 1024)
