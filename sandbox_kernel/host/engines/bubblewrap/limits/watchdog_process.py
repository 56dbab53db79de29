"""The process that watches sandboxes where the kernel does not let us set limits.

It is a process of its own because a thread of the host's would be late just when it matters: a
Python that is busy (with a sandbox's flood of output, say) lets its other threads wait, at every
file they read.

Its input is a line for each order, its words separated by spaces:

    watch NAME PID STARTED MEMORY CPUS    "-" for no limit; answered after the first look, like usage
    usage NAME                            answered: NAME PEAK-MEMORY KILLS PROCESSOR-SECONDS
    forget NAME                           no answer

End of input means that the host is gone: what is still under watch is killed.

A sandbox may not start before it is watched, so this must start fast: with `-I -S`, without the
package's own `__init__` files, without json, pathlib or dataclasses.
"""

import contextlib
import heapq
import os
import select
import sys
import time
import types

PACKAGE = "sandbox_kernel.host.engines.bubblewrap.limits"

if __name__ == "__main__":
    # The real packages import the engine and the policy, which take many times as long as all else.
    name, directory = PACKAGE, os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    while name:
        stand_in = types.ModuleType(name)
        stand_in.__path__ = [directory]
        sys.modules[name] = stand_in
        name, directory = name.rpartition(".")[0], os.path.dirname(directory)  # noqa: PTH120

from sandbox_kernel.host.engines.bubblewrap.limits.processes import Process  # noqa: E402
from sandbox_kernel.host.engines.bubblewrap.limits.watch import Watch  # noqa: E402

READ = 1 << 16


class Watchdog:
    """All sandboxes under watch, and when to look at each."""

    def __init__(self) -> None:
        self.watches: dict[str, Watch] = {}
        self._due: list[tuple[float, str]] = []

    def obey(self, order: str) -> str | None:
        """Do what a line asks for; return the answer, if it is to have one."""
        verb, name, *words = order.split()
        if verb == "watch":
            pid, started, memory, cpus = words
            root = Process(int(pid), 0, "", 0.0, int(started))
            watch = Watch(root, None if memory == "-" else int(memory), None if cpus == "-" else float(cpus))
            self.watches[name] = watch
            self._look(name, watch)
        elif verb == "forget":
            self.watches.pop(name, None)
            return None
        found = self.watches.get(name)
        return f"{name} {found.peak} {found.kills} {found.cpu.used}" if found else None

    def step(self) -> float | None:
        """Look at what is due; return the seconds until something is, None: nothing will be."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, name = heapq.heappop(self._due)
            if watch := self.watches.get(name):
                self._look(name, watch)
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _look(self, name: str, watch: Watch) -> None:
        pause = watch.step()
        if pause is not None:
            heapq.heappush(self._due, (time.monotonic() + pause, name))


def main(orders: int, answers: int) -> None:
    """Watch until the orders end; then kill what is left."""
    watchdog = Watchdog()
    pending = b""
    while True:
        if select.select([orders], [], [], watchdog.step())[0]:
            data = os.read(orders, READ)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if (answer := watchdog.obey(line.decode())) is not None:
                    os.write(answers, answer.encode() + b"\n")
    for watch in watchdog.watches.values():
        watch.kill()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main(0, 1)
