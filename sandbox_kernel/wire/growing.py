"""A part of a message while its bytes arrive: memory is taken as they come, and never twice.

Long parts lie in memory of their own, mapped in huge pages where the system has them: to take
100 MB a small page at a time costs three times as long as to copy them.
"""

from __future__ import annotations

import mmap
from io import BytesIO

from sandbox_kernel.wire.named import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.wire.frames import Part

HUGE_BYTES = 2 * 1024 * 1024
"""From this length on a part has its own mapping: the size of a huge page on most machines."""

_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)  # not on every system


class Growing:
    """A part of which some bytes are still to come."""

    __slots__ = ("_buffer", "_length", "_view", "held")

    def __init__(self, length: int) -> None:
        self.held = 0
        self._length = length
        self._view = _mapping(length) if length >= HUGE_BYTES else None
        self._buffer = BytesIO() if self._view is None else None

    @property
    def missing(self) -> int:
        """How many bytes are still to come."""
        return self._length - self.held

    def add(self, data: memoryview) -> None:
        """Take the next bytes, no more than are missing."""
        if self._buffer is not None:
            self._buffer.write(data)
        elif self._view is not None:
            self._view[self.held : self.held + len(data)] = data
        self.held += len(data)

    def finish(self) -> Part:
        """Return the part, once nothing is missing: bytes, or a view of memory that is its own."""
        if self._view is not None:
            return self._view.toreadonly()
        return self._buffer.getvalue() if self._buffer else b""  # shares its buffer: no second copy


def _mapping(length: int) -> memoryview | None:
    """Return memory that costs nothing before it is written to; None where there is none."""
    try:
        memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError, ValueError):  # so much, all at once, is not promised here
        return None
    if _HUGE_PAGES is not None:
        with suppress(OSError):  # a kernel without them
            memory.madvise(_HUGE_PAGES)
    return memoryview(memory)
