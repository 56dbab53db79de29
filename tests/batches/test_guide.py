"""The guide says what is so."""

import re
from pathlib import Path

import pytest

from sandbox_kernel.batches import Retries, read_manifest
from sandbox_kernel.batches.figures import MAX_OF_NOTEBOOK, MAX_OF_PAGE
from sandbox_kernel.cli.run import command
from sandbox_kernel.errors import ExitCode
from sandbox_kernel.notebooks.parameters.reading import value_of
from sandbox_kernel.policy import Policy


@pytest.fixture
def guide(repository: Path) -> str:
    return (repository / "examples/guides/batch.md").read_text()


@pytest.mark.parametrize(("kind", "runs"), [("yaml", 12), ("csv", 2)])
def test_manifests(guide: str, tmp_path: Path, kind: str, runs: int) -> None:
    """The manifests in it are understood."""
    [text] = re.findall(rf"```{kind}\n(.*?)```", guide, re.DOTALL)
    path = tmp_path / f"m.{kind}"
    path.write_text(text)
    assert len(read_manifest(path, value_of)) == runs


def test_options(guide: str) -> None:
    """The options in it are there."""
    known = {spelling for parameter in command.params for spelling in parameter.opts}
    assert {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*\b(?![\w=])", guide)} <= known | {"-9"}


def test_numbers(guide: str) -> None:
    """What it says of memory, retries, figures and exit codes are the numbers of the code."""
    assert (Policy().describe()["memory"], Retries().times) == ("1 GiB", 2)
    assert (MAX_OF_NOTEBOOK, MAX_OF_PAGE) == (4, 24 << 20)
    codes = {int(code) for code in re.findall(r"^\| (\d+) ", guide, re.MULTILINE)}
    assert codes == {
        ExitCode.OK,
        ExitCode.CANCELLED,
        ExitCode.DEADLINE,
        ExitCode.USAGE,
        ExitCode.CELL_ERROR,
    }
