"""The README promises what the code does."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from sandbox_kernel.cli.app import BUG
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.policy import Policy
from sandbox_kernel.policy.fields import EngineName

ELSEWHERE = {"profile", "engine", "image", "runtime"}
"""Fields that the README tells of outside the table."""


@pytest.fixture
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


@pytest.mark.parametrize(("profile", "column"), [("default", 1), ("strict", 2)])
def test_policy_table(readme: str, profile: str, column: int) -> None:
    """The table of the policy has every field, with the values of both profiles."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:]]
        for line in readme.splitlines()
        if line.startswith("| `")
    ]
    told = {row[0].strip("`"): row[column] for row in rows}
    real = Policy.from_settings({"profile": profile}).describe()
    assert told == {name: value for name, value in real.items() if name not in ELSEWHERE}


def test_engine_table(readme: str) -> None:
    """Each engine has its row, and what a container is made of its words."""
    engines = set(get_args(EngineName)) - {"auto"}
    assert {name.lower() for name in re.findall(r"^\| \*\*(\w+)\*\*", readme, re.MULTILINE)} >= engines
    assert all(option in readme for option in ("--engine", "--image", "--runtime"))


def test_exit_codes(readme: str) -> None:
    """The table of exit codes has every code, and no other."""
    assert {int(code) for code in re.findall(r"^\| (\d+) +\|", readme, re.MULTILINE)} == {*ExitCode, BUG}


def test_links(readme: str, repository: Path) -> None:
    """What the README links to is there."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if not link.startswith("http")]
    assert len(links) >= 5
    missing = [link for link in links if not link.startswith("#") and not (repository / link).exists()]
    assert not missing
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in readme.splitlines()
    }
    assert {link[1:] for link in links if link.startswith("#")} <= headings


def test_where_the_commands_are_is_told(readme: str, repository: Path) -> None:
    """Before the first of them: `make` installs into an environment that is not on anybody's PATH."""
    made = re.search(r"^BIN\s*[:?]?=\s*(\S+)/bin$", (repository / "Makefile").read_text(), re.MULTILINE)
    assert made
    told = readme.index(f"`. {made[1]}/bin/activate`")
    assert told < readme.index(f"`{made[1]}/bin/sandbox-kernel`") < readme.index("\nsandbox-kernel run")


def test_the_program_prints_what_it_says(readme: str) -> None:
    """The lines of Python are a whole program."""
    program = re.search(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert program
    said = program[1].rpartition("# ")[2].strip()
    run = subprocess.run([sys.executable, "-c", program[1]], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, said, "")
