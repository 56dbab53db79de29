"""What an attached stream carries: `python -m tests.benchmarks.stream [RUNTIME]`, on the DOCKER_HOST of now.

One process in a container writes as fast as it can, and what it writes is thrown away here. What is
measured is the way: pipe, daemon, socket, demultiplexer. Beside it, the same bytes through a pipe
from a process of this machine, for the ratio.
"""

import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker import engine
from sandbox_kernel.policy import Policy

MEBIBYTES = 256
CODE = f"import sys\nfor _ in range({MEBIBYTES}): sys.stdout.buffer.write(bytes(1 << 20))"


def drain(descriptor: int, read: Callable[[memoryview], int]) -> float:
    """Return megabytes per second, from the first byte to the last."""
    buffer, total, begun = memoryview(bytearray(256 << 10)), 0, 0.0
    while True:
        select.select([descriptor], [], [])
        try:
            count = read(buffer)
        except BlockingIOError:
            continue
        begun = begun or time.perf_counter()
        if not count:
            assert total == MEBIBYTES << 20, total
            return total / 1e6 / (time.perf_counter() - begun)
        total += count


def attached(runtime: str | None) -> float:
    launch = Launch((sys.executable,), Path("/"), secrets.token_hex(8))
    with mock.patch.object(engine.guest, "command", return_value=(("python3", "-I", "-c", CODE), b"")):
        process = engine.DockerEngine().start(Policy(workspace="none", runtime=runtime), launch)
    try:
        return drain(process.stdout, process.read)
    finally:
        process.close()


def piped() -> float:
    command = [sys.executable, "-I", "-c", CODE]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        descriptor = process.stdout.fileno()
        return drain(descriptor, lambda buffer: os.readv(descriptor, [buffer]))


def main() -> None:
    runtime = sys.argv[1] if len(sys.argv) > 1 else None
    for _ in range(3):
        plain, stream = piped(), attached(runtime)
        print(f"pipe {plain:6.0f} MB/s   attached stream {stream:6.0f} MB/s   ratio {stream / plain:5.2f}")


if __name__ == "__main__":
    main()
