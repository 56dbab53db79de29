"""Medians, ratios, and what has got worse."""

import json
from pathlib import Path

import pytest

from sandbox_kernel.bench.figures import FIGURES, GROUPS
from sandbox_kernel.bench.results import Results, Worse, merged, percentile, read_document, worse
from sandbox_kernel.errors import NotebookError

ASKED = [("execute", "bubblewrap"), ("output", "bubblewrap"), ("restart", "docker")]


def results(execute: float, output: float) -> Results:
    """A run in which the plain kernel took 10 ms, and carried 100 MB/s."""
    made = Results({"plain": "plain", "bubblewrap": "bubblewrap"}, commands=["bench"])
    made.add(FIGURES["execute"], {"plain": [[10.0]] * 3, "bubblewrap": [[execute]] * 3})
    made.add(FIGURES["output"], {"plain": [[100.0]] * 3, "bubblewrap": [[output]] * 3})
    return made


def test_a_ratio_is_of_one_round() -> None:
    """What slows the machine down in one round slows both, and is in no ratio."""
    made = Results()
    made.add(FIGURES["execute"], {"plain": [[10.0], [30.0], [10.0]], "docker": [[20.0], [60.0], [30.0]]})
    value = made.figures["execute"]["docker"]
    assert (value.value, value.ratio, value.ratio_quartiles) == (30.0, 2.0, (2.0, 2.5))
    assert made.figures["execute"]["plain"].ratio is None


def test_percentiles_are_of_all_samples() -> None:
    """The ratio of the slowest hundredth is one of all rounds together."""
    assert percentile(range(1, 101), 99) == 99
    assert percentile([1, 2], 95) == 2
    made = Results()
    made.add(FIGURES["execute_p99"], {"plain": [[1.0], [4.0]], "docker": [[8.0], [2.0]]})
    assert made.figures["execute_p99"]["docker"].ratio == 2.0


def test_without_a_plain_kernel_there_is_no_ratio() -> None:
    """A figure stands alone where the plain kernel failed, or took no time at all."""
    made = Results()
    made.add(FIGURES["execute"], {"docker": [[2.0]]})
    made.add(FIGURES["idle_of_1"], {"plain": [[0.0]], "docker": [[2.0]]})
    assert [found["docker"].ratio for found in made.figures.values()] == [None, None]


@pytest.mark.parametrize(
    ("execute", "output", "found"),
    [
        (10.0, 100.0, []),
        (11.9, 84.0, []),
        (5.0, 200.0, []),
        (12.1, 100.0, [Worse("execute", "bubblewrap", 1.0, 1.21)]),
        (10.0, 80.0, [Worse("output", "bubblewrap", 1.0, 0.8)]),
    ],
)
def test_worse(execute: float, output: float, found: list[Worse]) -> None:
    """A fifth is the most by which a ratio may get worse: more time, or less speed."""
    assert worse(results(execute, output), results(10.0, 100.0).document(), ASKED) == found


def test_what_cannot_be_measured_any_more_is_worse() -> None:
    """A figure that was recorded, was asked for, and is not there is not passed over."""
    before = results(10.0, 100.0).document()
    now = Results()
    assert worse(now, before, ASKED) == [
        Worse("execute", "bubblewrap", 1.0, None),
        Worse("output", "bubblewrap", 1.0, None),
    ]
    assert worse(now, before, [("execute", "podman")]) == []


def test_recording_keeps_what_was_not_measured() -> None:
    """A baseline can be put together from several runs, each of some engines."""
    other = Results({"plain": "plain", "docker": "Docker"}, commands=["bench --engine docker"])
    other.add(FIGURES["execute"], {"plain": [[10.0]], "docker": [[30.0]]})
    both = merged(results(12.0, 100.0).document(), other.document())
    ratios = {name: each["ratio"] for name, each in both["figures"]["execute"]["of"].items()}
    assert ratios == {"plain": None, "bubblewrap": 1.2, "docker": 3.0}
    assert both["commands"] == ["bench", "bench --engine docker"]
    assert set(both["figures"]) == {"execute", "output"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99, "figures": {}}'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    """One sentence names the file."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(NotebookError, match=r"x\.json is not a"):
        read_document(path)


def test_a_document_is_read_back(tmp_path: Path) -> None:
    """What one run writes the next one compares with."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(results(12.0, 90.0).document()))
    assert worse(results(12.0, 90.0), read_document(path), ASKED) == []


def test_figures_have_names_of_their_own() -> None:
    """No two figures, and no two groups, can be taken for each other."""
    assert len(FIGURES) == sum(len(group.figures) for group in GROUPS.values())
    assert len({figure.title for group in GROUPS.values() for figure in group.figures}) >= len(FIGURES) - 1
