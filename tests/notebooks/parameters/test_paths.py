"""Parameters in names of files: their text, and nothing else."""

import re
from datetime import datetime

import pytest

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.parameters import fill


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("out.ipynb", "out.ipynb"),
        ("out-{region}.ipynb", "out-north.ipynb"),
        ("{{x}}-{n:03d}-{a:.2f}.ipynb", "{x}-007-0.50.ipynb"),
        ("{n!s:>3}{none}{yes}", "  7NoneTrue"),
        ("a/{region}/b.ipynb", "a/north/b.ipynb"),
    ],
)
def test_filled(template: str, name: str) -> None:
    """A parameter stands for its text, formatted as Python formats numbers."""
    parameters = {"region": "north", "n": 7, "a": 0.5, "none": None, "yes": True}
    assert fill(template, parameters) == name


def test_own_names() -> None:
    """papermill's own names are there, spelled either way."""
    for name in ("{pm.run_uuid}", "{pm[run_uuid]}"):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", fill(name, {}))
    day = fill("{pm.current_datetime_utc:%Y-%m-%d}", {})
    assert datetime.fromisoformat(day)
    assert fill("{pm[current_datetime_local]:%Y}", {}) <= "9999"


@pytest.mark.parametrize(
    "template",
    [
        *("{nonesuch}", "{}", "{0}", "{region.upper}", "{region.__class__}", "{region[0]}"),
        *("{pm}", "{pm.__class__}", "{pm.run_uuid.hex}", "{pm.run_uuid:\0}", "{region:{n}}"),
        *("{n:1000000000}", "{region!r}", "{region!a}", "{", "}", "{region", "{items}", "{n:%Y}"),
        *("{region:d}", "{region:x<9}", "{pm.current_datetime_utc:%Y/%m}"),
    ],
)
def test_refused_templates(template: str) -> None:
    """No attribute is looked up, no width without end is made: it is refused in one sentence."""
    with pytest.raises(NotebookError) as refusal:
        fill(template, {"region": "north", "n": 7, "items": [1]})
    assert "\n" not in str(refusal.value)


def test_a_parameter_that_has_its_default() -> None:
    """A default is known to the notebook's code alone: what is missing is its value, and not its name."""
    with pytest.raises(NotebookError, match=r"and region is not given; add -p region VALUE\.$"):
        fill("report-{region}.ipynb", {"year": 2026}, lambda: ["year", "region"])
    with pytest.raises(NotebookError, match=r"no parameter has that name; write \{\{ for a brace\.$"):
        fill("report-{regoin}.ipynb", {"year": 2026}, lambda: ["year", "region"])


@pytest.mark.parametrize("value", ["../x", "/etc/x", "a/b", ".", "..", "a\0b"])
def test_values_lead_nowhere(value: str) -> None:
    """A value is a part of one name."""
    with pytest.raises(NotebookError, match="leads elsewhere"):
        fill("{where}", {"where": value})


def test_an_empty_value_does_not_lead_to_the_root() -> None:
    """It may be a part of a name, and is no folder's."""
    assert fill("report{suffix}.ipynb", {"suffix": ""}) == "report.ipynb"
    with pytest.raises(NotebookError, match="leads elsewhere"):
        fill("{folder}/report.ipynb", {"folder": ""})
