"""What happens to this process from outside: signals, and the death of its parent.

Python runs a signal handler in the middle of anything, so handlers do nothing here: the
interpreter writes each signal's number into a socket, and whoever waits reads it from there,
in its own time. The end of the sandbox arrives in the same socket, as a zero.

The parent is watched through a pidfd, not with PR_SET_PDEATHSIG: that one fires when the
*thread* ends that started us, and jupyter_client starts kernels from passing threads.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

_END = b"\0"
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_POLL = 1.0
"""Seconds between two looks at the parent where the system has no pidfds."""


class Events:
    """Collects SIGINT, SIGTERM and SIGHUP while it is entered; the parent's death counts as SIGHUP."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._old: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}
        self._old_wakeup = -1
        self._pidfd = -1

    def __enter__(self) -> Self:
        self._old_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._old[signal.SIGINT] = signal.signal(signal.SIGINT, _nothing)
        hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # nohup: it is to outlive its parent
        for signum in _ENDING if hangs_up else (signal.SIGTERM,):
            self._old[signum] = signal.signal(signum, _nothing)
        if hangs_up:
            self._watch_parent()
        else:
            self._parent = 0
        return self

    def _watch_parent(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self._parent)
        except OSError:  # an old kernel, or it died already: `wait` looks for itself
            self._pidfd = -1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._old.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        self._reader.close()
        self._writer.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def report_end(self) -> None:
        """Wake `wait`; from any thread."""
        with contextlib.suppress(BlockingIOError):  # full: there is enough in it to wake up for
            self._writer.send(_END)

    def wait(self, timeout: float | None) -> list[int]:
        """Return the signals that arrived; none after `report_end` or when the time is up."""
        looking = self._parent and self._pidfd < 0
        if looking:
            timeout = _POLL if timeout is None else min(timeout, _POLL)
        descriptors = [self._reader.fileno(), *([self._pidfd] if self._pidfd >= 0 else [])]
        ready, _, _ = select.select(descriptors, [], [], timeout)
        return list(self._arrived(ready))

    def _arrived(self, ready: list[int]) -> Iterator[int]:
        if self._reader.fileno() in ready:
            yield from (signum for signum in self._reader.recv(4096) if signum)
        if self._parent and (self._pidfd in ready or os.getppid() != self._parent):
            self._parent = 0
            if self._pidfd >= 0:
                os.close(self._pidfd)
                self._pidfd = -1
            yield signal.SIGHUP


def _nothing(signum: int, frame: FrameType | None) -> None:
    """Leave a signal to the one who waits; ignoring it in the kernel would hide it."""
