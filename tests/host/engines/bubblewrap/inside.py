"""Runs a program behind the engine's wall without a guest, a kernel or a tunnel.

PID 1 is a shell, so the program under test is an ordinary process; what it prints is what
the test reads. The wall, the limits and the system call filter are those of a real launch.
"""

import os
import secrets
import select
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.bubblewrap.engine import start_command
from sandbox_kernel.policy import Policy

PATIENCE = 60.0
KERNEL_ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")


@dataclass(frozen=True)
class Outcome:
    """What came of a program."""

    status: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.split()


def launch_for(directory: Path, *, argv: tuple[str, ...] = KERNEL_ARGV, **changes) -> Launch:
    return Launch(argv, directory, secrets.token_hex(8), **changes)


def shell(script: str, directory: Path, *, argv: tuple[str, ...] = KERNEL_ARGV, **policy) -> Outcome:
    """Run a shell script inside, as a child of PID 1."""
    return _run(["/bin/sh", "-c", '/bin/sh -c "$0"; exit $?', script], directory, argv, policy)


def python(
    code: str, directory: Path, *arguments: str, argv: tuple[str, ...] = KERNEL_ARGV, **policy
) -> Outcome:
    """Run Python code inside, as a child of PID 1."""
    inner = ["/bin/sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-I", "-B", "-c", textwrap.dedent(code)]
    return _run([*inner, *arguments], directory, argv, policy)


def _run(inner: list[str], directory: Path, argv: tuple[str, ...], policy: dict) -> Outcome:
    process = start_command(Policy(**policy), launch_for(directory, argv=argv), lambda _: inner)
    try:
        out, err = _read_all([process.stdout, process.stderr])
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            select.select([], [], [], 0.002)
        return Outcome(process.poll(), out, err)
    finally:
        process.close()


def _read_all(descriptors: list[int]) -> list[str]:
    """Read until all have closed."""
    texts = dict.fromkeys(descriptors, b"")
    open_ones = set(descriptors)
    end = time.monotonic() + PATIENCE
    while open_ones and (left := end - time.monotonic()) > 0:
        for descriptor in select.select(list(open_ones), [], [], left)[0]:
            data = os.read(descriptor, 1 << 16)
            texts[descriptor] += data
            if not data:
                open_ones.discard(descriptor)
    assert not open_ones, f"still running after {PATIENCE} s: {texts}"
    return [text.decode(errors="replace") for text in texts.values()]
