"""The threat model promises what tests defend, and names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
STOOD = {"yes", "in part", "**no**", "not ours"}


@pytest.fixture
def model(repository: Path) -> str:
    return (repository / ".github" / "SECURITY.md").read_text()


def section(model: str, title: str) -> list[list[str]]:
    """Return the cells of all rows of the tables under a heading, without their heads."""
    (text,) = re.findall(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", model, re.MULTILINE | re.DOTALL)
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return [row for row in cells if row[0] not in {"Promise", "Not promised", ""}]


def defined(path: Path) -> set[str]:
    """Return the names of all tests in a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_every_test_that_is_named_exists(model: str, repository: Path) -> None:
    """A promise is not left without its test when that is renamed or removed."""
    named = NAMED.findall(model)
    assert len(named) > 30
    for file, name in named:
        assert (repository / file).is_file(), file
        assert not name or name in defined(repository / file), f"{file}::{name}"


def test_every_promise_names_its_tests(model: str) -> None:
    """A promise without a test is a wish."""
    promises = section(model, "What is promised")
    assert len(promises) > 15
    assert [row[0] for row in promises if len(row) != 3 or not NAMED.search(row[2])] == []


def test_every_file_of_attacks_belongs_to_a_promise(model: str, repository: Path) -> None:
    """What is attacked is what is promised."""
    files = {f"tests/adversarial/{path.name}" for path in repository.glob("tests/adversarial/test_*.py")}
    promised = {file for row in section(model, "What is promised") for file, _ in NAMED.findall(row[2])}
    assert files - promised == set()


def test_every_gap_says_what_to_do(model: str) -> None:
    """Who reads what is not promised is told what helps."""
    gaps = section(model, "What is not promised, and what to do about it")
    assert len(gaps) > 15
    assert [row[0] for row in gaps if len(row) != 2 or not row[1].endswith(".")] == []


def test_past_vulnerabilities_have_a_verdict_and_a_reason(model: str) -> None:
    """Each is listed once, and the answer is one of four."""
    rows = [row for row in section(model, "Past vulnerabilities: would this have stood?") if row[1]]
    rows = [row for row in rows if row[0].startswith("CVE")]
    numbers = [number for row in rows for number in re.findall(r"CVE-\d{4}-\d{4,}", row[0])]
    assert len(numbers) == len(set(numbers)) > 40
    assert [row for row in rows if row[2] not in STOOD or not row[3]] == []
