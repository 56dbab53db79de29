"""A sandbox that was started: its streams, and how to end it and leave nothing."""

import contextlib
import os
import signal
import subprocess
import threading
from typing import Final

from sandbox_kernel.host.engines.base import Pipes, Usage
from sandbox_kernel.host.engines.bubblewrap.launch import Started
from sandbox_kernel.host.engines.bubblewrap.limits import AppliedLimits
from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES
from sandbox_kernel.wire import Start

PATIENCE: Final = 10.0
"""Seconds that killed processes get to be gone; one that writes to a dead disk may never be."""


class BubblewrapProcess(Pipes):
    """A running sandbox: bubblewrap outside, and PID 1 inside, which dies with it."""

    def __init__(self, started: Started, limits: AppliedLimits, start_message: Start) -> None:
        self.stdin = started.stdin
        self.stdout = started.stdout
        self.stderr = started.stderr
        self.pid = started.process.pid
        self.start_message = start_message
        self._process = started.process
        self._limits = limits
        self._handle = os.pidfd_open(self.pid)
        self._closing = threading.Lock()
        self._last: Usage | None = None
        TEMPLATES.entered()

    def __repr__(self) -> str:
        """Show what a person needs at three in the morning."""
        state = "closed" if self._last else f"status {self._process.returncode}"
        return f"<BubblewrapProcess pid {self.pid} {state}>"

    def poll(self) -> int | None:
        """Return None while the sandbox lives, else its exit status (negative: a signal)."""
        return self._process.poll()

    def usage(self) -> Usage:
        """Return what the limits have counted; after `close`, what they had counted then."""
        return self._last or self._limits.usage()

    def settle(self) -> None:
        """Have processor time shared out as it is for a kernel that runs, not for one that starts."""
        self._limits.settle()

    def kill(self) -> None:
        """End everything inside at once; any thread."""
        self._limits.kill()
        with self._closing, contextlib.suppress(OSError):  # it is gone, or so is its handle
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> None:
        """Kill, reap and remove everything."""
        if self._last is not None:
            return
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: its parent's end reaps it
            self._process.wait(PATIENCE)
        self._last = self._limits.usage()
        self._limits.release()
        with self._closing:  # or `kill` in another thread might signal what got this number next
            os.close(self._handle)
            self._handle = -1
        for fd in (self.stdin, self.stdout, self.stderr):
            os.close(fd)
        TEMPLATES.left()
