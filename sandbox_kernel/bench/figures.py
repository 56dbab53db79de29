"""What is measured: one row for each figure, one group for what is measured together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox_kernel.bench.subjects import Pool

Better = Literal["less", "more"]
Statistic = Literal["median", "p95", "p99"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    name: str
    title: str
    unit: str
    better: Better = "less"
    statistic: Statistic = "median"
    samples: str = ""
    """The name of what it is taken from, where that is not its own."""

    @property
    def source(self) -> str:
        """The name under which a worker answers with its samples."""
        return self.samples or self.name


@dataclass(frozen=True, slots=True)
class Group:
    """What is measured in one go, and how often."""

    name: str
    """What `--only` takes."""
    title: str
    figures: tuple[Figure, ...]
    rounds: int
    quick_rounds: int
    timeout: float
    """Seconds for one subject in one round."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the worker is told, each round."""
    quick_options: Mapping[str, Any] = field(default_factory=dict)
    """What is different when there is little time."""
    measure: str = ""
    """The worker's name for it, where that is not its own."""
    alone: bool = False
    """Whether it has a worker to itself, in which nothing else runs."""
    ipc: bool = False
    """Whether a plain kernel on unix sockets is measured as well: it shows what TCP costs."""
    by_hand: bool = False
    """Whether a container that was started by hand is."""
    pool: Pool = "off"
    """Whether sandboxes come out of the pool; plain kernels start as ever. Needs a worker of its own."""


MILLISECONDS, PER_SECOND, MEGABYTES = "ms", "1/s", "MB/s"

GROWTH: Final = (1, 10, 50, 100)
QUICK_GROWTH: Final = (1, 4)

_COUNT: Final = 6
"""Kernels of which the memory is taken: five that count, and the first."""


def _growth_figures() -> tuple[Figure, ...]:
    counts = sorted({*GROWTH, *QUICK_GROWTH})
    trips = (Figure(f"execute_of_{n}", f"round trip, {n} live kernels", MILLISECONDS) for n in counts)
    idle = (Figure(f"idle_of_{n}", f"host process's CPU, {n} idle kernels", "%") for n in counts)
    return (*trips, *idle)


def _one(name: str, title: str, unit: str = MILLISECONDS, better: Better = "less") -> tuple[Figure, ...]:
    return (Figure(name, title, unit, better),)


GROUPS: Final = {
    group.name: group
    for group in (
        Group(
            *("cold", "start in a new process"),
            _one("cold_start", "start, new process"),
            *(12, 2, 120),
            {"times": 1},
        ),
        Group(
            *("start", "start in a process that has started one before"),
            (
                Figure("start", "start, same process", MILLISECONDS),
                Figure("cpu", "CPU of a start, whole machine", "s"),
            ),
            *(20, 3, 120),
            {"times": 1},
            by_hand=True,
        ),
        Group(
            *("pool", "start out of the pool"),
            _one("pool_start", "start, out of the pool"),
            *(12, 1, 120),
            {"times": 1, "refill": 4.0},
            {"refill": 1.5},
            alone=True,
            pool="on",
        ),
        Group(
            *("execute", "round trip of an empty cell"),
            (
                Figure("execute", "round trip, median", MILLISECONDS),
                Figure("execute_p95", "round trip, 95 of 100", MILLISECONDS, "less", "p95", "execute"),
                Figure("execute_p99", "round trip, 99 of 100", MILLISECONDS, "less", "p99", "execute"),
            ),
            *(40, 10, 60),
            {"times": 50},
            {"times": 20},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("complete", "completion"),
            _one("complete", "completion"),
            *(20, 3, 60),
            {"times": 10},
            {"times": 3},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("prints", "1,000 small prints"),
            (
                Figure("prints", "1,000 prints", MILLISECONDS),
                Figure("flushed_prints", "1,000 prints, each flushed", MILLISECONDS),
            ),
            *(20, 4, 60),
            {"times": 2},
            {"times": 1},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("output", "50 MB of output"),
            _one("output", "50 MB of output", MEGABYTES, "more"),
            *(12, 3, 60),
            {"times": 1},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("input", "100 MB into the kernel"),
            _one("input", "100 MB into the kernel", MEGABYTES, "more"),
            *(8, 2, 60),
            {"times": 1},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("widgets", "2,000 updates of a widget"),
            _one("widgets", "2,000 widget updates"),
            *(10, 2, 60),
            {"times": 1},
            ipc=True,
            by_hand=True,
        ),
        Group(
            *("interrupt", "interrupt while output floods"),
            _one("interrupt", "interrupt while output floods"),
            *(12, 2, 120),
            {"times": 1},
        ),
        Group(
            *("restart", "restart"),
            _one("restart", "restart"),
            *(10, 1, 120),
            {"times": 1},
            alone=True,
            pool="default",
        ),
        Group(
            *("programs", "programs from the command line to their exit"),
            (
                Figure("run", "one small notebook, by run and by jupyter execute", MILLISECONDS),
                Figure("load", "loading what starts the kernel, new process", MILLISECONDS),
            ),
            *(10, 2, 120),
            {"times": 1},
        ),
        Group(
            *("batch", "small notebooks, two at a time"),
            _one("batch", "notebooks a second, two at a time", PER_SECOND, "more"),
            *(3, 1, 300),
            {"notebooks": 20},
            {"notebooks": 4},
            alone=True,
            pool="default",
        ),
        Group(
            *("memory", "memory of idle kernels"),
            (
                Figure("per_gib", "idle kernels per GiB", "", "more"),
                Figure("per_gib_pandas", "the same, with pandas imported", "", "more"),
                Figure("private", "private memory, idle", "MiB"),
                Figure("private_pandas", "the same, with pandas imported", "MiB"),
                Figure("private_preloaded", "the same, with pandas preloaded", "MiB"),
            ),
            *(2, 1, 300),
            {"count": _COUNT},
            {"count": 2},
            alone=True,
        ),
        Group(
            *("growth", "growth with the number of live kernels"),
            _growth_figures(),
            *(1, 1, 600),
            {"counts": GROWTH, "times": 200, "idle": 5.0},
            {"counts": QUICK_GROWTH, "times": 30, "idle": 0.5},
            alone=True,
        ),
    )
}

FIGURES: Final = {figure.name: figure for group in GROUPS.values() for figure in group.figures}
