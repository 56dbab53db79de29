"""What other threads leave for the one that serves a sandbox."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable


class Commands:
    """What other threads want of the loop: callables, and a descriptor that wakes it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open = True
        self._closing = threading.Lock()

    def put(self, command: Callable[[], None]) -> None:
        """Have the loop call it soon; ignored once the loop has ended."""
        self._queue.put(command)
        with self._closing:  # or the number might be another file's by the time of the write
            if self._open:
                os.eventfd_write(self.wake, 1)

    def run(self) -> None:
        """Call what was put."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake)
        while True:
            try:
                command = self._queue.get_nowait()
            except queue.Empty:
                return
            command()

    def close(self) -> None:
        """Close the descriptor."""
        with self._closing:
            self._open = False
            os.close(self.wake)
