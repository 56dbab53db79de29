"""What the kernel prints to its own standard output and error, bounded.

Cells' output does not come this way (ipykernel sends it over iopub); tracebacks of a failed
start do, and what C code writes. Reading never stops, so a flood does not block the kernel;
what is over the budget is thrown away and counted.
"""

from __future__ import annotations

import codecs
import os
from time import monotonic

from sandbox_kernel.wire import MAX_LOG_CHARACTERS, Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable

BURST_BYTES = 256 * 1024
"""Passed on at once: hundreds of tracebacks."""

BYTES_PER_SECOND = 64 * 1024
"""Passed on for as long as it lasts: more than anybody reads, little beside real output. It
bounds what a kernel can send on the most urgent channel."""

_READ_BYTES = 64 * 1024  # a full pipe


_MAX_DRAIN_READS = 16  # a pipe may have been enlarged to 1 MiB; a survivor may go on writing


class LogPipe:
    """Turns bytes from a descriptor into bounded `Log` messages. Owns the descriptor."""

    def __init__(self, descriptor: int, clock: Callable[[], float] = monotonic) -> None:
        self.descriptor: int | None = descriptor
        """What to wait for; None once everyone who could write has closed it."""
        self._clock = clock
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._budget = float(BURST_BYTES)
        self._filled = clock()
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<LogPipe {self.descriptor} budget {self._budget:.0f} dropped {self._dropped}>"

    def read(self) -> list[Log]:
        """Return what one read brings; at end of file close the descriptor."""
        data = self._read()
        return self._pass_on(data) if data else []

    def drain(self) -> list[Log]:
        """Return what is still in the pipe, and word of what was dropped."""
        logs: list[Log] = []
        for _ in range(_MAX_DRAIN_READS):
            data = self._read()
            if not data:
                break
            logs += self._pass_on(data)
        tail = self._decoder.decode(b"", final=True)
        return [*logs, *_cut(tail), *self._notice()]

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _read(self) -> bytes:
        if self.descriptor is None:
            return b""
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            self.close()
        return data

    def _pass_on(self, data: bytes) -> list[Log]:
        now = self._clock()
        self._budget = min(BURST_BYTES, self._budget + (now - self._filled) * BYTES_PER_SECOND)
        self._filled = now
        if len(data) > self._budget:
            self._dropped += len(data)
            return []
        self._budget -= len(data)
        return [*self._notice(), *_cut(self._decoder.decode(data))]

    def _notice(self) -> list[Log]:
        if not self._dropped:
            return []
        text = f"\n[{self._dropped} bytes of the kernel's own log were dropped here: it wrote too fast]\n"
        self._dropped = 0
        return [Log(text)]


def _cut(text: str) -> Iterator[Log]:
    for start in range(0, len(text), MAX_LOG_CHARACTERS):
        yield Log(text[start : start + MAX_LOG_CHARACTERS])
