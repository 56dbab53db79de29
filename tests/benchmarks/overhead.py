"""With the guard and without, in turn, in one run: `python -m tests.benchmarks.overhead [ROUNDS]`.

All kernels are behind bubblewrap's wall, with jupyter_client's blocking client. What stands in for
the guard passes every message as it is: "bare" between a kernel and a client that have the same key,
as kernels have it elsewhere; "unsigned" between two that have none, so that nobody signs or checks
anything at all. Prints medians and their ratios; only the ratios may be quoted. Exits with 1 if the
guard costs more than MOST times the bare tunnel.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sandbox_kernel.host import sandbox
from sandbox_kernel.host.engines.base import Launch, SandboxProcess
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.host.guard import Action, Guard, ToClient, ToGuest
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message, Oversized, Part
from tests.conformance.kernel import Kernel

MOST = 1.25


class NoGuard(Guard):
    """Lets everything through."""

    def from_client(self, channel: Channel, parts: Sequence[Part]) -> Iterator[Action]:
        yield ToGuest(channel, tuple(parts))

    def from_guest(self, message: Message | Oversized) -> Iterator[Action]:
        if isinstance(message, Message):
            yield ToClient(message.channel, message.parts)


class KeyInside(BubblewrapEngine):
    """Gives the kernel the key that its client has: nobody is between them who signs."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key.decode()

    def start(self, policy: Policy, launch: Launch) -> SandboxProcess:
        process = super().start(policy, launch)
        process.start_message = process.start_message._replace(key=self._key)
        return process


@contextmanager
def kernel(guard: type[Guard], *, signed: bool = True) -> Iterator[Kernel]:
    with tempfile.TemporaryDirectory(prefix="notebook-") as path:
        Path(path).chmod(0o755)
        front = sandbox.Front.create()
        if not signed:
            front = sandbox.Front({**front.connection_info(), "key": b""}, front.directory)
        engine = KeyInside(front.key) if guard is NoGuard else BubblewrapEngine()
        with mock.patch.object(sandbox, "Guard", guard):
            started = Kernel(engine, Policy(), Path(path), front=front)
        try:
            yield started
        finally:
            started.close()
            front.close()


CELLS: dict[str, tuple[str, int]] = {
    "an empty cell": ("pass", 20),
    "50 MB in one display": ("display({'text/plain': 'x' * 50_000_000}, raw=True)", 1),
    "50 MB printed": ("for _ in range(500): print('x' * 100_000)", 1),
    "50 MB in 5,000 displays": ("for _ in range(5_000): display({'text/plain': 'x' * 10_000}, raw=True)", 1),
}
"""What is run, and how often in a round."""


def seconds(kernel: Kernel, code: str) -> float:
    begun = time.perf_counter()
    kernel.client.execute_interactive(code, timeout=300, output_hook=lambda _: None)
    return time.perf_counter() - begun


def compare(what: str, rounds: int, kernels: Sequence[Kernel], run: Callable[[Kernel, str], float]) -> float:
    """Print the medians of a bare, an unsigned and a guarded kernel; return guarded to bare."""
    code, often = CELLS[what]
    taken: list[list[float]] = [[] for _ in kernels]
    for round_ in range(rounds * often + 1):
        for times, each in zip(taken, kernels, strict=True):
            time_ = run(each, code)
            if round_:  # the first warms up
                times.append(time_)
    bare, unsigned, guarded = (statistics.median(times) * 1000 for times in taken)
    print(
        f"{what:24} bare {bare:7.1f} ms, unsigned {unsigned:7.1f} ms, guarded {guarded:7.1f} ms: "
        f"{guarded / bare:.2f} x bare, {guarded / unsigned:.2f} x unsigned",
        flush=True,
    )
    return guarded / bare


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with kernel(NoGuard) as bare, kernel(NoGuard, signed=False) as unsigned, kernel(Guard) as guarded:
        ratios = [compare(what, rounds, (bare, unsigned, guarded), seconds) for what in CELLS]
    return int(max(ratios) > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
