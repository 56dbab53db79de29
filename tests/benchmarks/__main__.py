"""Sandboxed against plain kernels, in turn, in one run: `python -m tests.benchmarks [ROUNDS]`.

Prints medians and the ratio of each pair's medians. Absolute times are this machine's; the
ratios are what may be quoted. Both kernels run on the same interpreter and ipykernel, with
jupyter_client's blocking client on unix sockets.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

PLAIN, SANDBOXED = "python3", "sandboxed-python"
Kernel = tuple[KernelManager, BlockingKernelClient]


@contextmanager
def kernel(name: str) -> Iterator[Kernel]:
    manager = KernelManager(kernel_name=name)
    if name == PLAIN:
        manager.transport = "ipc"
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def start(name: str) -> float:
    """From nothing to the first answer."""
    begun = time.perf_counter()
    with kernel(name) as (_, client):
        client.execute_interactive("pass", timeout=60)
        return time.perf_counter() - begun


def round_trip(pair: Kernel) -> float:
    """An empty cell."""
    begun = time.perf_counter()
    pair[1].execute_interactive("pass", timeout=60)
    return time.perf_counter() - begun


def large_output(pair: Kernel) -> float:
    """20 MB in one message."""
    begun = time.perf_counter()
    code = "display({'text/plain': 'x' * 20_000_000}, raw=True)"
    pair[1].execute_interactive(code, timeout=60, output_hook=lambda _: None)
    return time.perf_counter() - begun


def interrupt(pair: Kernel) -> float:
    """From interrupt_kernel() to the busy cell's reply, while its output floods."""
    manager, client = pair
    flooding, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                if client.get_iopub_msg(timeout=0.05)["msg_type"] == "display_data":
                    flooding.set()
            except Empty:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    client.execute("while True: display({'text/plain': 'x' * 10_000}, raw=True)")
    flooding.wait(30)
    time.sleep(0.2)  # let the flood fill every buffer on its way
    begun = time.perf_counter()
    manager.interrupt_kernel()
    client.get_shell_msg(timeout=60)
    took = time.perf_counter() - begun
    done.set()
    reader.join()
    while True:  # leave nothing unread to the next round
        try:
            client.get_iopub_msg(timeout=0.5)
        except Empty:
            return took


def compare(what: str, rounds: int, measure: Callable[[str], float]) -> None:
    times: dict[str, list[float]] = {PLAIN: [], SANDBOXED: []}
    for _ in range(rounds):
        for name, taken in times.items():
            taken.append(measure(name))
    plain, sandboxed = (statistics.median(taken) * 1000 for taken in times.values())
    print(f"{what:34} plain {plain:8.1f} ms   sandboxed {sandboxed:8.1f} ms   ratio {sandboxed / plain:5.2f}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    compare("start to first answer", rounds, start)
    with kernel(PLAIN) as plain, kernel(SANDBOXED) as sandboxed:
        pairs = {PLAIN: plain, SANDBOXED: sandboxed}
        compare("empty cell", rounds * 20, lambda name: round_trip(pairs[name]))
        compare("20 MB of output", rounds, lambda name: large_output(pairs[name]))
        compare("interrupt while output floods", rounds * 5, lambda name: interrupt(pairs[name]))


if __name__ == "__main__":
    main()
