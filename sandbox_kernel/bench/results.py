"""What came of a run: medians with their spread, ratios, a document, and what has got worse."""

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sandbox_kernel import __version__
from sandbox_kernel.bench.figures import FIGURES, Figure
from sandbox_kernel.bench.subjects import PLAIN
from sandbox_kernel.errors import NotebookError

FORMAT: Final = 1
"""Of the document; another is not compared with."""

WORSE: Final = 1.2
"""How much worse a ratio may be than the recorded one: more than one run differs from the next."""

Rounds = list[list[float]]
"""The samples of each round."""


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of one subject."""

    value: float
    quartiles: tuple[float, float]
    samples: int
    ratio: float | None = None
    """To the plain kernel's; None without one. Of medians, the median of the rounds' ratios."""
    ratio_quartiles: tuple[float, float] | None = None
    """Of the rounds' ratios; None where there is one round, or what is compared is no median."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """What could not be measured, and why."""

    what: str
    """A group's name, or "all"."""
    subject: str
    why: str


@dataclass(slots=True)
class Results:
    """Everything that a run has found."""

    subjects: dict[str, str] = field(default_factory=dict)
    """Names and titles."""
    figures: dict[str, dict[str, Value]] = field(default_factory=dict)
    """Figure → subject → value."""
    unmeasured: list[Unmeasured] = field(default_factory=list)
    traces: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Subject → stages."""
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Of the machine when the run began: how many others wanted its processors."""
    commands: list[str] = field(default_factory=list)
    """What this was made with."""

    def add(self, figure: Figure, samples: dict[str, Rounds]) -> None:
        """Take in what was measured of one figure: subject → rounds."""
        plain = samples.get(PLAIN.name)
        found = {
            subject: _value(figure, rounds, None if subject == PLAIN.name else plain)
            for subject, rounds in samples.items()
            if any(rounds)
        }
        if found:
            self.figures[figure.name] = found

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "format": FORMAT,
            "commands": self.commands,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {**machine(), "load": round(self.load, 1)},
            "reference": PLAIN.name,
            "subjects": self.subjects,
            "figures": {
                name: {
                    **{key: value for key, value in asdict(FIGURES[name]).items() if key != "samples"},
                    "of": {subject: asdict(value) for subject, value in found.items()},
                }
                for name, found in self.figures.items()
            },
            "unmeasured": [asdict(each) for each in self.unmeasured],
            "traces": self.traces,
        }


def merged(recorded: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a document with what is new, and what was recorded of all else.

    Each ratio is still one of a single run: a figure of a subject is taken from one or the other.
    """
    figures = {name: {**found, "of": dict(found["of"])} for name, found in recorded["figures"].items()}
    for name, found in new["figures"].items():
        figures[name] = {**found, "of": {**figures.get(name, {}).get("of", {}), **found["of"]}}
    return {
        **new,
        "commands": list(dict.fromkeys((*recorded["commands"], *new["commands"]))),
        "subjects": {**recorded["subjects"], **new["subjects"]},
        "figures": {name: figures[name] for name in FIGURES if name in figures},
        "traces": {**recorded["traces"], **new["traces"]},
    }


def _value(figure: Figure, rounds: Rounds, plain: Rounds | None) -> Value:
    samples = [sample for each in rounds for sample in each]
    own = statistic(figure.statistic, samples)
    value = Value(own, quartiles(samples), len(samples))
    if not plain or not any(plain):
        return value
    if figure.statistic == "median":
        ratios = _ratios(rounds, plain)
        spread = quartiles(ratios) if len(ratios) > 1 else None
        return replace(value, ratio=statistics.median(ratios) if ratios else None, ratio_quartiles=spread)
    below = statistic(figure.statistic, [sample for each in plain for sample in each])
    return replace(value, ratio=own / below if below else None)


def _ratios(rounds: Rounds, plain: Rounds) -> list[float]:
    """Return the ratio of the medians in each round: what slows a machine down slows both."""
    pairs = [(own, other) for own, other in zip(rounds, plain, strict=False) if own and other]
    return [statistics.median(own) / below for own, other in pairs if (below := statistics.median(other))]


def statistic(name: str, samples: Sequence[float]) -> float:
    """Return the median, or what so many per cent of the samples are not above."""
    if name == "median":
        return statistics.median(samples)
    return percentile(samples, int(name.removeprefix("p")))


def percentile(samples: Sequence[float], percent: int) -> float:
    """Return the smallest sample that so many per cent are not above."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """Return what a quarter of the samples is below, and what a quarter is above."""
    if len(samples) < 2:
        return (samples[0], samples[0]) if samples else (0.0, 0.0)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, high


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    versions = ("ipykernel", "jupyter_client", "pyzmq")
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "linux": platform.release(),
        "python": platform.python_version(),
        "sandbox_kernel": __version__,
        **{name: importlib.metadata.version(name) for name in versions},
    }


def read_document(path: Path) -> dict[str, Any]:
    """Return a document that an earlier run has written.

    :raises NotebookError: the file cannot be read, or is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise NotebookError(f"{path} is not a recorded run: it is not JSON.") from error
    if (
        not isinstance(found, dict)
        or found.get("format") != FORMAT
        or not isinstance(found.get("figures"), dict)
    ):
        raise NotebookError(
            f"{path} is not a run that this version has recorded; "
            f"`sandbox-kernel bench --record {path}` makes one."
        )
    return found


@dataclass(frozen=True, slots=True)
class Worse:
    """One ratio that is worse than the recorded one."""

    figure: str
    subject: str
    before: float
    now: float | None
    """None: it was asked for, and could not be measured."""


def worse(results: Results, baseline: dict[str, Any], asked: Sequence[tuple[str, str]]) -> list[Worse]:
    """Return what has got worse by more than `WORSE`, of the figures and subjects that were asked for.

    What was recorded, and now cannot be measured, is worse as well.
    """
    found = []
    for name, subject in asked:
        recorded = baseline["figures"].get(name, {}).get("of", {}).get(subject, {}).get("ratio")
        if not recorded:
            continue
        value = results.figures.get(name, {}).get(subject)
        now = value.ratio if value else None
        if now is None or _is_worse(FIGURES[name], recorded, now):
            found.append(Worse(name, subject, recorded, now))
    return found


def _is_worse(figure: Figure, before: float, now: float) -> bool:
    return now > before * WORSE if figure.better == "less" else now < before / WORSE
