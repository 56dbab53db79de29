"""Thousands of calls, and nothing that grows: `python -m tests.benchmarks.soak [CALLS]`.

Two sandboxes take turns. What is counted, at regular intervals: memory of this process and of all that it
has started (PSS: what is shared counts once), its descriptors, threads and processes. Calls are of all
kinds: values, prints, errors, figures' worth of output, put and get, deadlines, a death and a
reset now and then. The first fifth is not judged.
"""

import gc
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from glob import glob
from pathlib import Path

from sandbox_kernel import Sandbox
from sandbox_kernel.session import Outcome

CALLS = 10_000
LOOKS = 20
EVENTFUL = 50
"""Calls from one deadline, death or reset to the next."""
ROOMY = {"memory": "256m", "cell_timeout": "60s", "session_timeout": "none"}
WARM_UP = 4
"""Starts of each kind before anything is counted: after two of them others are kept ready."""


@dataclass(frozen=True)
class Look:
    """What there is at one moment; memory in MiB."""

    calls: int
    host: float
    """Of this process."""
    sandboxes: float
    """Of all below it."""
    descriptors: int
    threads: int
    processes: int

    @classmethod
    def now(cls, calls: int) -> "Look":
        gc.collect()
        own, below = os.getpid(), list(descendants(os.getpid()))
        return cls(
            calls,
            round(pss(own), 1),
            round(sum(map(pss, below)), 1),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            len(below),
        )


def descendants(parent: int) -> Iterator[int]:
    for task in glob(f"/proc/{parent}/task/*/children"):
        children = ""
        with suppress(OSError):  # the thread has ended meanwhile
            children = Path(task).read_text()
        for child in map(int, children.split()):
            yield child
            yield from descendants(child)


def pss(process: int) -> float:
    """Return a process's share of memory in MiB; 0 for one that has gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def soak(calls: int, say: Callable[[Look], object]) -> list[Look]:
    """Make so many calls; return what was counted on the way."""
    looks: list[Look] = []
    with Sandbox(memory="256m") as one, Sandbox("strict", **ROOMY) as other:
        for _ in range(WARM_UP):
            for sandbox in (one, other):
                sandbox.reset()
                sandbox.run("print('x' * 500_000)")  # ZeroMQ has a thread for what it does not copy
        for number in range(calls):
            if number % max(1, calls // LOOKS) == 0:
                looks.append(Look.now(number))
                say(looks[-1])
            call((one, other)[number % 2], number)
            if number % EVENTFUL == EVENTFUL - 1:
                event((one, other)[number // EVENTFUL % 2], number // EVENTFUL)
        looks.append(Look.now(calls))
        say(looks[-1])
    return looks


def call(sandbox: Sandbox, number: int) -> None:
    kind = number // 2 % 8
    if kind == 0:
        assert sandbox.run(f"{number} + 1").value == str(number + 1)
    elif kind == 1:
        assert sandbox.run("for i in range(100): print(i)").stdout.startswith("0\n1\n")
    elif kind == 2:
        assert sandbox.run("1 / 0").outcome is Outcome.ERROR
    elif kind == 3:
        assert len(sandbox.run("display({'image/png': 'QUJD' * 10_000}, raw=True)").images[0].data) == 30_000
    elif kind == 4:
        sandbox.put("value", list(range(1000)))
    elif kind == 5:
        assert len(sandbox.get("list(range(1000))")) == 1000
    elif kind == 6:
        sandbox.put_file("file", b"x" * 10_000)
        assert len(sandbox.get_file("file")) == 10_000
    else:
        heard: list[object] = []
        assert sandbox.run("x = 1; print(x)", on_output=heard.append).ok
        assert heard


def event(sandbox: Sandbox, number: int) -> None:
    kind = number // 2 % 3
    if kind == 0:
        assert sandbox.run("while True: x = 1", timeout=0.05).outcome is Outcome.TIMEOUT
    else:
        if kind == 1:
            assert sandbox.run("import os; os._exit(1)").outcome is Outcome.DIED
        sandbox.reset()


def grown(looks: list[Look]) -> list[str]:
    """Return what has more at the end than it had when it was warm, in words; nothing if all is flat.

    Memory may differ by what an allocator keeps; a leak of a kilobyte for each call shows in 10,000.
    """
    warm = [look for look in looks if look.calls >= looks[-1].calls // 5]
    half = len(warm) // 2
    slack = {"host": 6.0, "sandboxes": 12.0, "descriptors": 0, "threads": 0, "processes": 0}
    found = []
    for name, allowed in slack.items():
        before, after = (min(getattr(look, name) for look in part) for part in (warm[:half], warm[half:]))
        if after > before + allowed:
            found.append(f"{name}: {before:g}, later {after:g}")
    return found


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    print("  ".join(field.name for field in fields(Look)))
    began = time.monotonic()
    looks = soak(calls, lambda look: print("  ".join(map(str, astuple(look))), flush=True))
    own, all_ = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    used = own.ru_utime + own.ru_stime, all_.ru_utime + all_.ru_stime
    seconds = time.monotonic() - began
    print(f"{calls} calls in {seconds:.0f} s; CPU: this process {used[0]:.1f} s, others {used[1]:.1f} s")
    print("\n".join(grown(looks)) or "Nothing has grown.")
    return bool(grown(looks))


if __name__ == "__main__":
    sys.exit(main())
