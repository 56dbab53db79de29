"""Keeps memory and processor limits from outside, where the kernel does not let us set any.

A process beside ours (`watchdog_process`) watches all our sandboxes. It acts after the fact, so it is
weak, and says so. It is there while there is anything to watch. Should it end before its time, every
sandbox that it watched is killed: no limit is ever lost silently. Should ours end, it kills them.

Should it be too late all the same, a brake holds: the kernel refuses any single process more
private memory than BRAKE_FACTOR times the limit and BRAKE_SLACK.
"""

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Enforcement, Usage
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import Hold, Limits
from sandbox_kernel.host.engines.bubblewrap.limits.processes import Process, kill_tree, look, same, tree
from sandbox_kernel.host.engines.bubblewrap.limits.watch import LONGEST, SHORTEST

BRAKE_FACTOR: Final = 2
BRAKE_SLACK: Final = 1 << 30
"""Bytes: the stacks of threads count as private memory, used or not."""
PATIENCE: Final = 5.0
"""Seconds to wait for killed processes to be gone: one in uninterruptible sleep may never go."""
READY_WITHIN: Final = 30.0
"""Seconds for a new watchdog's first look, which takes hundredths of one; a swapping machine needs more."""
ANSWER_WITHIN: Final = 1.0
"""Seconds for an answer that takes milliseconds; then the last one has to do."""
SCRIPT: Final = Path(__file__).with_name("watchdog_process.py")
ADVICE: Final = "For a limit that the kernel keeps, run under systemd with cgroup v2."


class Watchdog:
    """Keeps memory, processor time or both."""

    def __init__(self, kept: frozenset[str], limits: Limits) -> None:
        self._kept = kept
        self._limits = limits

    def enforcements(self) -> list[Enforcement]:
        """Return one entry for each limit kept, each marked as weak."""
        details = {
            "memory": f"A process outside looks every {SHORTEST * 1000:g} to {LONGEST * 1000:g} ms and kills "
            f"processes beyond {self._limits.memory >> 20} MiB, and those that hide what they hold; "
            "it does not see data in sockets and pipes, nor files in memory that are on their way through "
            f"a socket. {ADVICE}",
            "cpus": "A process outside stops the sandbox's processes whenever they have used more than "
            f"{self._limits.cpus:g} processors' time. {ADVICE}",
        }
        return [
            Enforcement(limit, "watchdog", detail, weak=True)
            for limit, detail in details.items()
            if limit in self._kept
        ]

    def apply(self, pid: int, name: str) -> Hold:
        """Start to watch a process and all that will descend from it.

        :raises LimitUnenforceableError: there is no such process, or no watchdog can be started.
        """
        root = look(pid)
        if root is None:
            raise LimitUnenforceableError(f"Process {pid}, which should be limited, has already ended.")
        hold = WatchdogHold(root, name, self._brake)
        hold.admit(pid)
        KENNEL.watch(
            hold,
            self._limits.memory if "memory" in self._kept else None,
            self._limits.cpus if "cpus" in self._kept else None,
        )
        return hold

    def _brake(self, pid: int) -> None:
        if "memory" not in self._kept:
            return
        brake = BRAKE_FACTOR * self._limits.memory + BRAKE_SLACK
        try:
            hard = resource.prlimit(pid, resource.RLIMIT_DATA)[1]
            if hard != resource.RLIM_INFINITY:  # a stronger brake, and one that we may not loosen
                brake = min(brake, hard)
            resource.prlimit(pid, resource.RLIMIT_DATA, (brake, brake))
        except OSError as error:
            raise LimitUnenforceableError(
                f"The sandbox's data cannot be limited: {error.strerror}."
            ) from error


class WatchdogHold:
    """A sandbox that is being watched."""

    def __init__(self, root: Process, name: str, brake: Callable[[int], None]) -> None:
        self.root = root
        self.name = name
        self._brake = brake
        self._last = Usage()

    def admit(self, pid: int) -> None:
        """Bound its data; once it has entered the sandbox, it is among those that are watched."""
        self._brake(pid)

    def settle(self) -> None:
        """Change nothing: what a start takes at once has been saved up, or is paid off afterwards."""

    def paths(self) -> list[Path]:
        """Return nothing: a watchdog leaves nothing behind."""
        return []

    def usage(self) -> Usage:
        """Return what was seen so far; after `release`, what was seen until then."""
        self._last = KENNEL.ask(self.name) or self._last
        return self._last

    def kill(self) -> None:
        """Kill the whole tree."""
        kill_tree(self.root)

    def release(self) -> None:
        """Kill, wait until the tree is gone, and end the watch."""
        deadline = time.monotonic() + PATIENCE
        while self._living() and time.monotonic() < deadline:
            self.kill()
            time.sleep(SHORTEST)
        self.usage()
        KENNEL.forget(self.name)

    def _living(self) -> bool:
        """Tell whether anything of the tree is more than a body that waits to be buried."""
        return same(self.root) and any(process.state not in "ZX" for process in tree(self.root.pid))


class Kennel:
    """The watchdog process of this one: started for the first sandbox, ended after the last."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[str, WatchdogHold] = {}
        self._answers: dict[str, Usage] = {}
        self._dog: subprocess.Popen[bytes] | None = None
        os.register_at_fork(after_in_child=self._abandon)

    def watch(self, hold: WatchdogHold, memory: int | None, cpus: float | None) -> None:
        """Have a sandbox watched; return when it is.

        :raises LimitUnenforceableError: no watchdog can be started.
        """
        limits = ["-" if limit is None else str(limit) for limit in (memory, cpus)]
        with self._changed:
            if self._dog is None:
                self._dog = self._start()
            self._watched[hold.name] = hold
            order = ["watch", hold.name, str(hold.root.pid), str(hold.root.started), *limits]
            answer = self._ask(hold.name, order, READY_WITHIN)
        if answer is None:
            self.forget(hold.name)
            raise LimitUnenforceableError("The watchdog that is to keep the limits does not start.")

    def ask(self, name: str) -> Usage | None:
        """Return what was seen of a sandbox; None when nobody watches it, or there is no answer."""
        with self._changed:
            if name not in self._watched:
                return None
            return self._ask(name, ["usage", name], ANSWER_WITHIN)

    def forget(self, name: str) -> None:
        """End a watch. Idempotent."""
        with self._changed:
            if self._watched.pop(name, None) is None:
                return
            self._say(["forget", name])
            dog = None
            if not self._watched:
                dog, self._dog = self._dog, None
        if dog is not None and dog.stdin is not None:
            dog.stdin.close()
            dog.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            dog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                bufsize=0,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )
        except OSError as error:
            raise LimitUnenforceableError(f"No watchdog can be started: {error.strerror}.") from error
        threading.Thread(target=self._listen, args=(dog,), name="sandbox-watchdog", daemon=True).start()
        return dog

    def _ask(self, name: str, order: list[str], seconds: float) -> Usage | None:
        """Give an order and return the answer; None when none comes. Called with the lock held."""
        self._answers.pop(name, None)
        self._say(order)
        self._changed.wait_for(lambda: name in self._answers or name not in self._watched, seconds)
        return self._answers.pop(name, None)

    def _say(self, order: list[str]) -> None:
        if self._dog is not None and self._dog.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended; `_listen` sees to it
                self._dog.stdin.write(" ".join(order).encode() + b"\n")

    def _listen(self, dog: "subprocess.Popen[bytes]") -> None:
        """Take answers until the watchdog ends; if that was before its time, so do the sandboxes."""
        stdout: IO[bytes] | None = dog.stdout
        for line in stdout or ():
            name, peak, kills, seconds = line.decode().split()
            with self._changed:
                self._answers[name] = Usage(int(peak), int(kills), cpu_seconds=float(seconds))
                self._changed.notify_all()
        if stdout is not None:
            stdout.close()
        with self._changed:
            if self._dog is not dog:
                return
            self._dog = None
            unwatched = list(self._watched.values())
            self._watched.clear()
            self._changed.notify_all()
        if dog.stdin is not None:
            dog.stdin.close()
        dog.wait()
        for hold in unwatched:
            hold.kill()

    def _abandon(self) -> None:
        """In a forked child: the sandboxes and their watchdog are the parent's."""
        self._changed = threading.Condition()
        self._watched = {}
        dog, self._dog = self._dog, None
        if dog is not None and dog.stdin is not None and dog.stdout is not None:
            dog.stdin.close()
            dog.stdout.close()
            dog.returncode = 0  # not our child: nothing to wait for, nothing to warn of


KENNEL: Final = Kennel()
"""The one of this process. It holds nothing until there is a sandbox to watch."""
