"""A thread that writes lines: a disk may hang for minutes, and no kernel shall wait for it."""

import contextlib
import errno
import queue
import threading
from collections.abc import Callable
from typing import Final

from sandbox_kernel.host.audit.log import AuditLog

MAX_PENDING: Final = 8 << 20
"""Bytes of lines that wait for the disk, of one kernel; what comes then is lost, and counted."""


class Writer:
    """Writes to one log until it is closed."""

    def __init__(self, log: AuditLog, name: str, *, on_failure: Callable[[OSError], None]) -> None:
        """Begin; `on_failure` hears of the first line that is lost, in this thread or in the caller's."""
        self.lost = 0
        """Lines that could not be written."""
        self._log = log
        self._on_failure = on_failure
        self._lines: queue.SimpleQueue[bytes | threading.Event | None] = queue.SimpleQueue()
        self._told = False
        self._pending = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"sandbox-audit-{name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Have a line written soon. Never blocks."""
        with self._counting:
            fits = self._pending + len(line) <= MAX_PENDING
            self._pending += len(line) if fits else 0
        if fits:
            self._lines.put(line)
        else:
            self._lose(OSError(errno.EIO, "its disk does not answer"))

    def flush(self, seconds: float) -> bool:
        """Wait until all that was put is written or lost; return whether it is."""
        done = threading.Event()
        self._lines.put(done)
        return done.wait(seconds)

    def close(self, seconds: float) -> None:
        """Write what is left and end, or give up after so many seconds."""
        self._lines.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (item := self._lines.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._write(item)

    def _write(self, line: bytes) -> None:
        try:
            self._log.append(line)
        except OSError as error:
            self._lose(error)
        with self._counting:
            self._pending -= len(line)

    def _lose(self, error: OSError) -> None:
        with self._counting:
            self.lost += 1
            first, self._told = not self._told, True
        if first:
            with contextlib.suppress(Exception):  # whoever listens must not end the thread
                self._on_failure(error)
