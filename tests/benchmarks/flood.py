"""Hostile kernels flood, another one works: `python -m tests.benchmarks.flood [KERNELS [SECONDS]]`.

Prints how much memory the host's process took, against the bound that is promised for it, how long
the other kernel's cells took meanwhile, and what was written to disk. All kernels are behind
bubblewrap's wall, with the limits of the profile `strict` but no deadline for cells.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_kernel.host.bound import most_memory
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import MiB, Policy
from tests.benchmarks.flood_clients import HABITS
from tests.conformance.kernel import Kernel

POLICY = Policy.from_settings({"profile": "strict", "cell_timeout": "none", "session_timeout": "none"})
RAW = "k = get_ipython().kernel; s = k.session; p = k.iopub_socket\nwhile True: "
FLOODS = {
    "print": "while True: print('x' * 65_536)",
    "small prints": "while True: print('x', flush=True)",
    "stderr": "import sys\nwhile True: print('x' * 1000, file=sys.stderr)",
    "C level": "import os\nwhile True: os.write(1, b'x' * 65_536)",
    "a program": "import subprocess\nsubprocess.run(['yes'])",
    "display": "while True: display({'text/plain': 'x' * 100_000}, raw=True)",
    "cell by cell": "for _ in range(9): display({'text/plain': 'x' * 100_000}, raw=True)",
    "comm": (
        "from comm import create_comm\nc = create_comm(target_name='x')\n"
        "while True: c.send({'x': 'y' * 10_000}, buffers=[b'z' * 10_000])"
    ),
    "oversized": "text = 'x' * 20_000_000\nwhile True: display({'text/plain': text}, raw=True)",
    "broken": RAW + "p.send_multipart([b'junk', b'<IDS|MSG>', b'x'] * 10)",
    "many parts": RAW + "p.send_multipart([b''] * 50_000)",
    "deep": RAW + "p.send_multipart([b't', b'<IDS|MSG>', b'', *[b'{\"a\":' + b'[' * 200_000] * 4])",
    "replies": RAW + "s.send(k.shell_stream or p, 'execute_reply', {'x': 'y' * 100_000}, ident=b'sandbox')",
}


@dataclass
class Figures:
    """What came of it."""

    quiet: list[float] = field(default_factory=list)
    """Seconds of the other kernel's cells before the flood."""
    flooded: list[float] = field(default_factory=list)
    memory_before: int = 0
    memory_most: int = 0
    bound: int = 0
    disk: int = 0
    """Bytes that the temporary and runtime directories have grown by."""
    ended: int = 0
    """Hostile kernels that were ended for breaking the rules too often."""

    def __str__(self) -> str:
        def times(taken: list[float]) -> str:
            return f"median {statistics.median(taken) * 1000:.0f} ms, worst {max(taken) * 1000:.0f} ms"

        grown = self.memory_most - self.memory_before
        return "\n".join(
            (
                f"another kernel's cell, before: {times(self.quiet)} ({len(self.quiet)} cells)",
                f"another kernel's cell, meanwhile: {times(self.flooded)} ({len(self.flooded)} cells)",
                f"memory: {self.memory_before / MiB:.0f} MiB before, at most {grown / MiB:.0f} MiB more,",
                f"    where {self.bound / MiB:.0f} MiB more are promised",
                f"disk: {self.disk} bytes more; kernels ended for what they sent: {self.ended}",
            )
        )


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def disk_use(*places: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for place in places for path in place.rglob("*") if path.exists())


class Clients:
    """The hostile kernels' clients."""

    def __init__(self, kernels: list[Kernel]) -> None:
        floods = list(FLOODS.values())
        told = [
            {
                **{
                    name: value if isinstance(value, int) else str(value)
                    for name, value in kernel.front.connection_info().items()
                },
                "key": kernel.front.key.decode(),
                "code": floods[number % len(floods)],
                "habit": HABITS[number % len(HABITS)],
            }
            for number, kernel in enumerate(kernels)
        ]
        command = (sys.executable, "-m", "tests.benchmarks.flood_clients")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def cells(kernel: Kernel, seconds: float, pause: float = 0.1) -> list[float]:
    """Run small cells for so long; return what each took."""
    taken, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        assert kernel.run("1 + 1", timeout=120).status == "ok"
        taken.append(time.perf_counter() - begun)
        time.sleep(pause)
    return taken


def watch_memory(figures: Figures, done: threading.Event) -> None:
    while not done.wait(0.05):
        figures.memory_most = max(figures.memory_most, resident())


def flood(count: int, seconds: float) -> Figures:
    """Have so many kernels flood for so long."""
    figures, done = Figures(), threading.Event()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notebook-")))
        directory.chmod(0o755)

        def start(policy: Policy, *, wait: bool) -> Kernel:
            kernel = Kernel(BubblewrapEngine(), policy, directory, wait=wait)
            stack.callback(kernel.close)
            return kernel

        other = start(Policy(workspace="none"), wait=True)
        kernels = [start(POLICY, wait=False) for _ in range(count)]
        for kernel in kernels:
            kernel.started.result(timeout=300)
        figures.quiet = cells(other, min(seconds, 10))
        places = (directory, *(kernel.front.directory for kernel in kernels))
        written = disk_use(*places)
        figures.memory_before = figures.memory_most = resident()
        watcher = threading.Thread(target=watch_memory, args=(figures, done))
        watcher.start()
        clients = Clients(kernels)
        stack.callback(clients.close)
        figures.flooded = cells(other, seconds)
        done.set()
        watcher.join()
        figures.bound = most_memory(POLICY, sandboxes=count)
        figures.disk = disk_use(*places) - written
        figures.ended = sum(kernel.sandbox.ended.done() for kernel in kernels)
    return figures


def main() -> int:
    count, seconds = (int(word) for word in (*sys.argv[1:3], *("50", "120")[len(sys.argv) - 1 :]))
    figures = flood(count, seconds)
    print(figures)
    return int(figures.memory_most - figures.memory_before > figures.bound or figures.disk > 0)


if __name__ == "__main__":
    raise SystemExit(main())
