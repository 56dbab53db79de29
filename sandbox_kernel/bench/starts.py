"""What a start costs: in a process that is warm, in one that is new, and of CPU."""

import subprocess
import sys
from time import perf_counter, sleep

from sandbox_kernel.bench.cells import Samples
from sandbox_kernel.bench.container import new_kernel
from sandbox_kernel.bench.kernel import PATIENCE
from sandbox_kernel.bench.processes import machine_cpu
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError


def warm(subject: Subject, times: int) -> Samples:
    """Milliseconds to the first reply, and CPU seconds of the whole machine meanwhile."""
    taken, used = [], []
    for _ in range(times):
        kernel = new_kernel(subject)
        cpu, begun = machine_cpu(), perf_counter()
        try:
            kernel.start()
            taken.append((perf_counter() - begun) * 1000)
            used.append(machine_cpu() - cpu)
        finally:
            kernel.close()
    return {"start": taken, "cpu": used}


def pooled(subject: Subject, times: int, refill: float) -> Samples:
    """Milliseconds to the first reply where the pool had so many seconds to fill.

    Two starts before say that this is a process that starts more than one.
    """
    taken = []
    for _ in range(times):
        warm(subject, 2)
        sleep(refill)
        taken += warm(subject, 1)["start"]
    return {"pool_start": taken}


def cold(subject: Subject, times: int) -> Samples:
    """Milliseconds from a new Python process to its first kernel's first reply."""
    return {"cold_start": [_cold(subject) for _ in range(times)]}


def _cold(subject: Subject) -> float:
    asked = subject.with_pool("default").to_json()  # a first kernel comes out of no pool: nothing to set
    command = [sys.executable, "-m", "sandbox_kernel.bench.kernel", asked]
    pipe = subprocess.PIPE
    begun = perf_counter()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout and process.stdin and process.stderr  # noqa: S101, PT018 - pipes, for mypy
            said = process.stdout.readline()
            taken = perf_counter() - begun
            process.stdin.close()
            words = process.stderr.read().strip().splitlines()
            process.wait(PATIENCE)
        finally:
            process.kill()
    if said != "answered\n":
        raise UnmeasuredError(words[-1] if words else "the process ended without a word")
    return taken * 1000
