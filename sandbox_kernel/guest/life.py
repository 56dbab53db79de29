"""Who the guest is to the other processes around it.

As PID 1 (`Init`) it is the parent of every orphan, cannot be killed from inside, and takes
all others with it. In a process that has other work (`Lodger`: the in-memory engine and
tests) it may neither install signal handlers nor wait for children that are not its own.
"""

from __future__ import annotations

import os

from sandbox_kernel.guest.calls import call
from sandbox_kernel.guest.kernel import Kernel, exit_of, ignore_interrupts, limit_resources
from sandbox_kernel.wire.named import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Protocol

    from sandbox_kernel.wire import Start
else:
    import _signal as signal  # without `enum`, which the other brings

    Protocol = object

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


class Life(Protocol):
    """What the supervisor needs to know and do about processes."""

    wakeups: list[int]
    """Descriptors that become readable when a child may have ended, or the guest is to end."""

    def prepare(self, order: Start) -> None:
        """Run in the kernel's process before it becomes the kernel."""

    def watch(self, kernel: Kernel) -> None:
        """Take note of the kernel."""

    def woken(self) -> bool:
        """Reap what has ended; return whether the guest itself is to end."""

    def kill_all(self) -> None:
        """Kill the kernel and, as far as they are ours, all its descendants."""

    def close(self) -> None:
        """Give back descriptors and handlers."""


class Init:
    """The guest as PID 1 of its own pid namespace."""

    def __init__(self) -> None:
        """Become untouchable for other processes of the same user.

        Non-dumpable: or user code could open the tunnel through /proc/1/fd, read and write
        our memory, or stop us with ptrace.

        :raises OSError: the kernel refuses; then no user code may run.
        """
        _prctl(_PR_SET_DUMPABLE, 0)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        self._kernel: Kernel | None = None
        self._end = False
        self._wake_read, self._wake_write = os.pipe()
        self.wakeups = [self._wake_read]
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wakeup is written
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def prepare(self, order: Start) -> None:
        """Bind the kernel by the limits that the host ordered."""
        ignore_interrupts()
        limit_resources(order)

    def watch(self, kernel: Kernel) -> None:
        """Tell the kernel from the other processes that will be reaped."""
        self._kernel = kernel

    def woken(self) -> bool:
        """Reap whoever has ended: orphans are ours as well."""
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        with suppress(ChildProcessError):
            while self._reap_one():
                pass
        return self._end

    def kill_all(self) -> None:
        """Kill every process of the namespace but this one."""
        # Outside a pid namespace of our own, -1 would mean every process of the machine.
        if os.getpid() == 1:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)

    def close(self) -> None:
        """Give back the descriptors; the handlers stay, as the process is about to end."""
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _terminate(self, *_: object) -> None:
        self._end = True

    def _reap_one(self) -> bool:
        pid, status, usage = os.wait3(os.WNOHANG)
        if self._kernel is not None and pid == self._kernel.pid:
            self._kernel.ended(exit_of(status, usage))
        return pid != 0


class Lodger:
    """The guest in a thread of another process, or as an ordinary one."""

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self.wakeups: list[int] = []

    def prepare(self, order: Start) -> None:
        """Tie the kernel to this thread; the host's limits are for a sandbox, not for us."""
        del order
        ignore_interrupts()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch(self, kernel: Kernel) -> None:
        """Wake up when this child ends; others are none of our business."""
        self._kernel = kernel
        self.wakeups.append(os.pidfd_open(kernel.pid))

    def woken(self) -> bool:
        """Bury the kernel if it has ended."""
        kernel = self._kernel
        if kernel is not None and kernel.exit is None and _has_ended(kernel.pid):
            self.kill_all()
        return False

    def kill_all(self) -> None:
        """Kill the kernel's process group and reap the kernel; what left its group survives."""
        if self._kernel is not None and self._kernel.exit is None:
            # In this order: once it is reaped, the number of its group may be another's.
            with suppress(ProcessLookupError):
                os.killpg(self._kernel.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self._kernel.pid, 0)
            self._kernel.ended(exit_of(status, usage))

    def close(self) -> None:
        """Give back the descriptors."""
        for descriptor in self.wakeups:
            os.close(descriptor)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _prctl(option: int, value: int) -> None:
    call("prctl", option, value, 0, 0, 0, what=f"prctl({option}, {value})")
