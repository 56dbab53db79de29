"""One sandbox under watch: what it holds and uses, and what is done about it.

No thread and no waiting in here: `step` looks once, acts, and says when to come back.

* Memory is what `footprint` sees. When it exceeds the limit, the largest processes are killed until
  the rest fits, as the kernel would; where that gains too little, the sandbox is killed. The more
  room is left, the later the next look: before the room could have been filled.
* Processor time over the quota is a debt, and all processes are stopped until it is paid off.
  The sandbox's first process (bubblewrap) and its process 1 are never stopped: they answer for it.

Standard library only: the watchdog process loads this without the rest of the package.
"""

import os
import signal
import time
from typing import Final

from sandbox_kernel.host.engines.bubblewrap.limits import footprint
from sandbox_kernel.host.engines.bubblewrap.limits.processes import (
    Process,
    hides,
    is_init,
    kill_tree,
    same,
    send,
    tree,
)

FILL_RATE: Final = 4 << 30
"""Bytes per second that one processor can newly touch, with huge pages; without, it is half of it."""
FILLERS: Final = 4
"""Processors that can do so at once: beyond, they wait for the memory and for one another."""
SHORTEST: Final = 0.005
BUSY: Final = 0.02
LONGEST: Final = 0.2
"""Seconds between two looks: when memory is short, while processor time is being used, at rest."""
HIDING: Final = 0.25
"""Seconds that a process may hide what it holds: a new one may, until its program is loaded."""
BURST: Final = 0.1
"""Seconds of its quota that a sandbox may save up: short work is never stopped."""
LONGEST_REST: Final = 1.0
"""Seconds that a sandbox is stopped at a time, at most: an interrupt waits that long."""


class Watch:
    """A sandbox that is being watched."""

    def __init__(self, root: Process, memory: int | None, cpus: float | None) -> None:
        self.peak = 0
        """The most memory seen, in bytes."""
        self.kills = 0
        """Processes killed for memory."""
        self.cpu = CpuAccount(cpus if cpus is not None and cpus < processors() else None)
        self._root = root
        self._memory = memory
        self._stopped: list[Process] = []
        self._hidden: dict[tuple[int, int], float] = {}
        self._killed: set[tuple[int, int]] = set()

    def step(self) -> float | None:
        """Look, act, and return the seconds until the next look; None when the sandbox is gone."""
        began = time.monotonic()
        _go_on(self._stopped)
        self._stopped = []
        processes = tree(self._root.pid) if same(self._root) else []
        if not processes:
            return None
        self._killed &= {(process.pid, process.started) for process in processes}
        pause = LONGEST if self._memory is None else self._keep_memory(processes, self._memory)
        self._uncover(processes)  # last: what is seen to be too much must not wait for it
        rest = self.cpu.update(sum(process.cpu_seconds for process in processes), began)
        if rest > 0:
            self._stopped = self._stop(processes)
            return rest
        if self.cpu.busy:
            pause = min(pause, BUSY)
        # Looking may be slow where there is much to see: never more than half of the time.
        return max(pause, time.monotonic() - began)

    def kill(self) -> None:
        """Kill the whole sandbox."""
        kill_tree(self._root)

    def _keep_memory(self, processes: list[Process], limit: int) -> float:
        """Kill what is too much, and return how long we may look away."""
        used = footprint.estimate(processes)
        if used > limit:
            # Measuring takes its time; nothing may grow meanwhile.
            stopped = self._stop(processes)
            try:
                sizes = footprint.measure(tree(self._root.pid))
                used = sizes.total
                if used > limit:
                    self._cut(sizes, limit)
            finally:
                _go_on(stopped)
        self.peak = max(self.peak, used)
        time_to_fill = (limit - used) / (FILL_RATE * min(processors(), FILLERS))
        return min(max(time_to_fill, SHORTEST), LONGEST)

    def _uncover(self, processes: list[Process]) -> None:
        """Kill what has hidden for HIDING seconds; what is just starting or ending does so for a moment."""
        now, known = time.monotonic(), self._hidden
        self._hidden = {}
        for process in processes:
            if process.pid == self._root.pid or not hides(process) or is_init(process.pid):
                continue
            who = process.pid, process.started
            self._hidden[who] = since = known.get(who, now)
            if now - since >= HIDING:
                self._kill(process)

    def _cut(self, sizes: footprint.Footprint, limit: int) -> None:
        """Kill the largest processes until the rest fits, or all if it never will."""
        left = sizes.total
        for process in sorted(sizes.by_process, key=sizes.by_process.__getitem__, reverse=True):
            if left <= limit:
                return
            if process.pid != self._root.pid and not is_init(process.pid):
                left -= sizes.by_process[process]
                self._kill(process)
        if left > limit:
            self.kills += 1
            self.kill()

    def _kill(self, process: Process) -> None:
        """Kill one, and count it once: to be gone takes it longer than we look away."""
        if send(process, signal.SIGKILL) and (process.pid, process.started) not in self._killed:
            self._killed.add((process.pid, process.started))
            self.kills += 1

    def _stop(self, processes: list[Process]) -> list[Process]:
        """Stop the sandbox; return what must go on later, which is not what the user had stopped."""
        return [
            process
            for process in processes
            if process.pid != self._root.pid
            and process.state not in "TtZX"
            and not is_init(process.pid)
            and send(process, signal.SIGSTOP)
        ]


class CpuAccount:
    """What a sandbox owes: time used, less the quota for the time that has passed."""

    def __init__(self, cpus: float | None) -> None:
        self.used = 0.0
        """Seconds in all."""
        self.busy = False
        """Whether the last look found more than half of the quota used."""
        self._cpus = cpus
        self._debt = 0.0
        self._total = 0.0
        self._then: float | None = None

    def update(self, total: float, now: float) -> float:
        """Enter what all processes together have used by now; return how many seconds they must rest.

        The total can fall: what ends without being waited for takes its time along.
        """
        used, self._total = max(0.0, total - self._total), total
        self.used += used
        passed = now - self._then if self._then is not None else 0.0
        self._then = now
        if self._cpus is None:
            return 0.0
        self.busy = used > self._cpus * passed / 2
        self._debt = max(self._debt + used - self._cpus * passed, -self._cpus * BURST)
        return min(max(self._debt / self._cpus, 0.0), LONGEST_REST)


def processors() -> int:
    """Return how many processors this process, and so a sandbox, may use."""
    return len(os.sched_getaffinity(0))


def _go_on(stopped: list[Process]) -> None:
    for process in stopped:
        send(process, signal.SIGCONT)
