"""The page on runs from a program does what it shows, and lists every way to end."""

import doctest
import re
from pathlib import Path

import pytest

from sandbox_kernel.notebooks import Outcome

GUIDE = Path(__file__).parents[2] / "examples" / "guides" / "runs.md"


def test_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every example of the page runs, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(GUIDE.read_text(), {}, GUIDE.name, str(GUIDE), 0)
    assert len(test.examples) > 10
    assert doctest.DocTestRunner().run(test).failed == 0


def test_every_outcome() -> None:
    """The table has every outcome with its exit code."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", GUIDE.read_text(), re.MULTILINE)
    ends = [outcome for outcome in Outcome if outcome is not Outcome.RUNNING]
    assert sorted(rows) == sorted((str(outcome), str(int(outcome.exit_code))) for outcome in ends)
