"""What a check costs: `python -m tests.benchmarks.checks [COUNT] [--jobs N] [--pause SECONDS]`.

Hello-world submissions, each in its own fresh sandbox (bubblewrap, `strict`), in one process that has
graded a few already. Prints how long one takes when nothing else runs, how many there are in a second
with several at a time, and the processor time of each and where it goes; then how long the same takes
where a check has it run by a kernel, as a ratio. It exits with 1 where there are fewer in a second than
`--least`, or one takes more milliseconds than `--most`.

On a busy machine only the processor time means anything. Each submission's Python runs what the environment's
.pth files say; a developer's has some, for other tools: with a Python that has this package alone there
are more in a second, as users have them.
"""

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox_kernel.bench.processes import tree
from sandbox_kernel.checks.grading import grade
from sandbox_kernel.checks.many import Entry, grade_all
from sandbox_kernel.checks.suite import Suite, parse_suite
from sandbox_kernel.policy import Policy

SUITE = "checks: [{kind: output, equals: 'Hello, world!'}]"
BY_KERNELS = "checks: [{kind: output, equals: 'Hello, world!', stream: all}]"
WARM_UP = 6
"""Submissions after which the process has a template, and a sandbox in the pool."""
TICKS = os.sysconf("SC_CLK_TCK")


def cpu() -> dict[str, float]:
    """Return the CPU seconds used: by this process, by the sandboxes that have ended, by what lives on."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(_of_process(pid) for pid in tree([os.getpid()]) - {os.getpid()})
    return {
        "this process": own.ru_utime + own.ru_stime,
        "sandboxes": ended.ru_utime + ended.ru_stime,
        "the template, and what lives": living,
    }


def _of_process(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


async def one_by_one(suite: Suite, policy: Policy, path: Path, count: int, pause: float = 0.0) -> list[float]:
    """Return the milliseconds of each, with so many seconds before it in which nobody asks for one."""
    taken = []
    for _ in range(count):
        await asyncio.sleep(pause)
        began = time.perf_counter()
        result = await grade(path, suite, policy)
        taken.append((time.perf_counter() - began) * 1000)
        assert result.passed, result
    return taken


async def several(suite: Suite, policy: Policy, path: Path, count: int, jobs: int) -> float:
    """Return how many there are in a second."""
    began = time.perf_counter()
    results = await grade_all([Entry(path, str(n)) for n in range(count)], suite, policy, jobs)
    assert all(result.passed for result in results), results
    return count / (time.perf_counter() - began)


@contextmanager
def counted(what: str, count: int) -> Iterator[None]:
    """Print the CPU milliseconds of each of so many checks."""
    before = cpu()
    yield
    used = {name: (seconds - before[name]) * 1000 / count for name, seconds in cpu().items()}
    parts = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in used.items())
    print(f"{what}: {sum(used.values()):.1f} ms of CPU each ({parts})", flush=True)


async def measure(arguments: argparse.Namespace, path: Path, warm_up: int = WARM_UP) -> bool:
    """Print what is measured; return whether it is as good as was asked for."""
    policy = Policy.from_settings({"profile": "strict", "engine": "bubblewrap", "cell_timeout": 60})
    suite = parse_suite(SUITE, "CHECKS.yaml")
    await one_by_one(suite, policy, path, warm_up)
    with counted("one by one", arguments.count):
        taken = await one_by_one(suite, policy, path, arguments.count, arguments.pause)
    median = statistics.median(taken)
    print(f"one by one: median {median:.1f} ms, least {min(taken):.1f}, most {max(taken):.1f}", flush=True)
    with counted(f"{arguments.jobs} at a time", arguments.count):
        rate = await several(suite, policy, path, arguments.count, arguments.jobs)
    print(f"{arguments.jobs} at a time: {rate:.1f} a second", flush=True)
    by_kernels = parse_suite(BY_KERNELS, "CHECKS.yaml")
    await one_by_one(by_kernels, policy, path, warm_up)
    slower = await several(by_kernels, policy, path, arguments.count, arguments.jobs)
    print(
        f"by kernels: {slower:.1f} a second; without, each takes {slower / rate:.2f} of the time", flush=True
    )
    return median <= arguments.most and rate >= arguments.least


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each of one by one")
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--most", type=float, default=float("inf"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "hello.py")
        path.write_text('print("Hello, world!")\n')
        good = asyncio.run(measure(arguments, path))
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
