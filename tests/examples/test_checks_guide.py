"""The guide to checks says what is so."""

import re
from pathlib import Path

import pytest

from sandbox_kernel.checks.inside import NODES, TEXT
from sandbox_kernel.checks.kinds import KINDS
from sandbox_kernel.cli.app import run_command


@pytest.fixture
def guide(repository: Path) -> str:
    return (repository / "examples/guides/checks.md").read_text()


def blocks(guide: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    return [text for named, text in found if named == language]


def test_example(guide: str, monkeypatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The submission passes the checks, and the command says what it is shown to say."""
    monkeypatch.chdir(tmp_path)
    (script,), (checks,), (shown,) = (blocks(guide, language) for language in ("python", "yaml", ""))
    Path("answer.py").write_text(script)
    Path("CHECKS.yaml").write_text(checks)
    command, _, said = shown.partition("\n")
    arguments = [*command.split()[2:], "--engine", "bubblewrap", "--cell-timeout", "60"]
    assert run_command(arguments) == 0
    assert capsys.readouterr().out == said


def test_every_kind_with_every_key(guide: str) -> None:
    """The table has each kind, and each of its keys."""
    rows = {row[1]: row[2] for row in re.finditer(r"^\| `(\w+)` +\|(.*)\|$", guide, re.MULTILINE)}
    del rows["kind"]  # the title
    assert rows.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        assert {key for key in kind.KEYS if f"`{key}`" not in rows[name]} == set()


def test_sizes(guide: str) -> None:
    """What is too large to be compared is that."""
    assert f"more than {NODES:,} items, or {TEXT:,} characters" in guide
