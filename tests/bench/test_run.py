"""Every measurement measures, and a run says what it could not have."""

import math

import pytest

from sandbox_kernel.bench.figures import FIGURES, GROUPS
from sandbox_kernel.bench.lane import Lane
from sandbox_kernel.bench.run import Plan, Run
from sandbox_kernel.bench.subjects import SANDBOXES, Scratch
from sandbox_kernel.bench.trace import PROBES, REPLY, Notes, stages
from sandbox_kernel.bench.worker import ON_A_KERNEL, ON_A_SUBJECT

LEAST = {
    **{name: {"times": 1} for name in (*ON_A_KERNEL, "start", "cold", "programs")},
    "open": {},
    "memory": {"count": 2},
    "growth": {"counts": [1, 2], "times": 2, "idle": 0.1},
    "batch": {"notebooks": 2},
    "pool": {"times": 1, "refill": 0.5},
    "trace": {"starts": 1, "trips": 5},
}
"""The least that each measurement can be asked for."""


@pytest.mark.timeout(600)
def test_every_figure_is_measured(bubblewrap: str, place: Scratch, no_leftovers: object) -> None:
    """Behind a wall each measurement has samples for each of its figures; nothing is left behind."""
    lane = Lane(SANDBOXES[bubblewrap], place)
    try:
        found = {name: lane.ask(name, 200, **options) for name, options in LEAST.items()}
    finally:
        lane.close()
    assert found.keys() == {*ON_A_KERNEL, *ON_A_SUBJECT}
    assert_traced(found.pop("trace"))
    samples = {name: taken for each in found.values() for name, taken in each.items()}
    assert all(taken and math.isfinite(sum(taken)) and min(taken) >= 0 for taken in samples.values())
    sources = {
        figure.source for figure in FIGURES.values() if not figure.name.startswith(("execute_of", "idle_of"))
    }
    assert samples.keys() >= {*sources, "execute_of_2", "idle_of_2"}


def assert_traced(trace: dict) -> None:
    """All stages were seen: a function that has another name by now is to be named anew in `trace`."""
    assert trace["missing"] == []
    seen = {name for key in ("start", "round_trip") for name, _ in trace[key]}
    wanted = {name for probe in PROBES for name in (probe.entered, probe.left) if name}
    assert seen >= {*wanted, REPLY}
    assert all(took >= 0 for key in ("start", "round_trip") for _, took in trace[key])


def test_what_a_worker_is_told_it_understands() -> None:
    """Every group is a measurement, with the options that it takes, and the test above has all of those."""
    for group in GROUPS.values():
        name = group.measure or group.name
        assert name in {*ON_A_KERNEL, *ON_A_SUBJECT}
        assert group.options.keys() == LEAST[name].keys()
        assert group.quick_options.keys() <= group.options.keys()


@pytest.mark.timeout(300)
def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is missing, and what users would pick instead, are named with the reason."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    told: list[str] = []
    plan = Plan(engines=("docker",), groups=("execute",), rounds=2, quick=True)
    results = Run(plan, lambda what, _: told.append(what)).measure()
    missing = {(each.subject, each.what): each.why for each in results.unmeasured}
    assert missing.keys() == {("docker", "all"), ("docker-run", "all"), ("gateway-provisioners", "all")}
    assert all(missing.values())
    assert results.figures["execute"].keys() == {"plain"}
    assert results.figures["execute"]["plain"].samples == 40
    assert told.count(GROUPS["execute"].title) == 2


def test_stages_are_in_their_usual_order() -> None:
    """What usually comes first does, and each stage is as long as its median distance to the one before."""
    runs = [Notes({"request": 0, "b": 30, "a": 10}), Notes({"request": 100, "a": 120, "b": 150})]
    assert stages(runs, 1) == [("a", 15), ("b", 25)]
