"""One run: subjects take turns, round by round, group by group."""

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from sandbox_kernel.bench.figures import GROUPS, Group
from sandbox_kernel.bench.lane import Lane
from sandbox_kernel.bench.results import Results, Rounds, Unmeasured
from sandbox_kernel.bench.subjects import BY_HAND, PLAIN, PLAIN_IPC, SANDBOXES, Subject, scratch
from sandbox_kernel.bench.unmeasured import UnmeasuredError

OPEN_SECONDS: Final = 180.0
"""For a subject's first kernel: a daemon may have to unpack an image."""

TRACE_SECONDS: Final = 300.0

GATEWAY: Final = "gateway-provisioners"

NO_GATEWAY: Final = "it is not installed here"
GATEWAY_CANNOT: Final = (
    "its containers announce themselves to a port of this machine, and need an image with its own launcher; "
    "bench has neither"
)

Told = Callable[[str, str], None]
"""Hears what is measured, and of whom."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    engines: tuple[str, ...] = tuple(SANDBOXES)
    """Names of sandboxes."""
    groups: tuple[str, ...] = tuple(GROUPS)
    rounds: int | None = None
    """In place of each group's own number."""
    quick: bool = False
    trace: bool = False
    beside: bool = True
    """Whether to measure, or say why not, what users would pick instead."""

    def rounds_of(self, group: Group) -> int:
        """Return how often a group is measured."""
        return self.rounds or (group.quick_rounds if self.quick else group.rounds)

    def options_of(self, group: Group) -> dict[str, Any]:
        """Return what the worker is told."""
        return {**group.options, **(group.quick_options if self.quick else {})}

    def asked(self) -> list[tuple[str, str]]:
        """Return the figures and subjects that this run is to have; in growth the numbers that count."""
        return [
            (figure.name, engine)
            for name in self.groups
            for figure in GROUPS[name].figures
            for engine in self.engines
            if name != "growth"
            or int(figure.name.rpartition("_")[2]) in self.options_of(GROUPS[name])["counts"]
        ]


class Run:
    """Measures; `tell` hears what is going on."""

    def __init__(self, plan: Plan, tell: Told = lambda _, __: None) -> None:
        self.results = Results()
        self._plan = plan
        self._tell = tell
        self._stack = ExitStack()
        self._lanes: dict[str, Lane] = {}

    def measure(self) -> Results:
        """Measure it all; what cannot be measured is in the results, with the reason."""
        subjects = [PLAIN, *([] if self._plan.quick else [PLAIN_IPC])]
        subjects += [SANDBOXES[name] for name in self._plan.engines]
        subjects += [BY_HAND] if self._plan.beside else []
        with self._stack:
            self._place = self._stack.enter_context(scratch(*subjects))
            present = [subject for subject in subjects if self._open(subject)]
            self.results.subjects = {subject.name: subject.title for subject in present}
            for name in self._plan.groups:
                self._measure_group(GROUPS[name], present)
            if self._plan.trace:
                for subject in present:
                    self._trace(subject)
        if self._plan.beside:
            found = importlib.util.find_spec("gateway_provisioners")
            self._not("all", GATEWAY, GATEWAY_CANNOT if found else NO_GATEWAY)
        return self.results

    def _open(self, subject: Subject) -> bool:
        """Have a subject's first kernel; return whether there is one."""
        if subject is PLAIN_IPC and not any(GROUPS[name].ipc for name in self._plan.groups):
            return False
        if subject is BY_HAND and not any(GROUPS[name].by_hand for name in self._plan.groups):
            return False
        self._tell("first kernels", subject.title)
        lane = self._lanes[subject.name] = self._lane(subject)
        try:
            lane.ask("open", OPEN_SECONDS)
        except UnmeasuredError as error:
            self._not("all", subject.name, str(error))
            return False
        return True

    def _lane(self, subject: Subject) -> Lane:
        lane = Lane(subject, self._place)
        self._stack.callback(lane.close)
        return lane

    def _measure_group(self, group: Group, present: Sequence[Subject]) -> None:
        lanes = [self._lane_for(group, subject) for subject in present if _takes_part(group, subject)]
        if group.pool == "on":
            lanes = [self._lanes[PLAIN.name], *(lane for lane in lanes if lane.subject.sandboxed)]
        samples: dict[str, dict[str, Rounds]] = {}
        rounds = self._plan.rounds_of(group)
        for round_ in range(rounds):
            # Who comes first in a round may find the machine in another state than who follows.
            for lane in list(lanes if round_ % 2 == 0 else reversed(lanes)):
                self._tell(group.title, f"{lane.subject.title}, round {round_ + 1} of {rounds}")
                try:
                    found = self._ask(group, lane)
                except UnmeasuredError as error:
                    self._not(group.name, lane.subject.name, str(error))
                    lanes.remove(lane)
                    continue
                for name, taken in found.items():
                    samples.setdefault(name, {}).setdefault(lane.subject.name, []).append(taken)
        if group.alone:
            for lane in lanes:
                if lane is not self._lanes.get(lane.subject.name):
                    lane.close()
        for figure in group.figures:
            self.results.add(figure, samples.get(figure.source, {}))

    def _lane_for(self, group: Group, subject: Subject) -> Lane:
        if not group.alone:
            return self._lanes[subject.name]
        return self._lane(subject.with_pool(group.pool))

    def _ask(self, group: Group, lane: Lane) -> dict[str, list[float]]:
        options = self._plan.options_of(group)
        if group.pool == "on" and not lane.subject.sandboxed:  # the plain kernel has none: it starts as ever
            started: dict[str, list[float]] = lane.ask("start", group.timeout, times=options["times"])
            return {"pool_start": started["start"]}
        found: dict[str, list[float]] = lane.ask(group.measure or group.name, group.timeout, **options)
        return found

    def _trace(self, subject: Subject) -> None:
        self._tell("trace", subject.title)
        starts, trips = (3, 50) if self._plan.quick else (10, 300)
        lane = self._lane(subject)  # a worker of its own: what it wraps stays wrapped
        try:
            self.results.traces[subject.name] = lane.ask("trace", TRACE_SECONDS, starts=starts, trips=trips)
        except UnmeasuredError as error:
            self._not("trace", subject.name, str(error))

    def _not(self, what: str, subject: str, why: str) -> None:
        self.results.unmeasured.append(Unmeasured(what, subject, why))


def _takes_part(group: Group, subject: Subject) -> bool:
    if subject is PLAIN_IPC:
        return group.ipc
    return group.by_hand if subject is BY_HAND else True
