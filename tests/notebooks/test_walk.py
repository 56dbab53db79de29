"""Folders of strangers: as deep as they like, links in circles, and nothing of it stops whoever looks."""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox_kernel.batches.remarks import Remarks
from sandbox_kernel.batches.search import search
from sandbox_kernel.checks.finding import find_submissions
from sandbox_kernel.notebooks.walk import walk


@pytest.fixture
def deep(tmp_path):
    """A folder with a notebook, and two beside it: of 1,500 levels, and of a path of 5,000 letters."""
    for name, levels in (("d", 1500), ("long" * 50, 25)):
        folder = os.open(tmp_path, os.O_PATH)
        for _ in range(levels):
            os.mkdir(name, dir_fd=folder)
            below = os.open(name, os.O_PATH, dir_fd=folder)
            os.close(folder)
            folder = below
        os.close(folder)
    (tmp_path / "a.ipynb").touch()
    yield tmp_path
    subprocess.run(["rm", "-r", tmp_path], check=True)  # Python's own way calls itself, too


def test_a_deep_folder_hides_no_others_notebook(deep):
    """What is left out of it is told; on some Pythons `os.walk` fails where another looks into all of it."""
    remarks = Remarks()
    assert search(deep, remarks) == [deep / "a.ipynb"]
    assert len(remarks.told()) == 2
    assert all(sentence.endswith("it is too deep, or its path too long.") for sentence in remarks.told())


def test_a_deep_folder_hides_no_others_submission(deep):
    """One student's archive, unpacked, is no reason to grade nobody."""
    left = []
    assert [entry.path.name for entry in find_submissions([str(deep)], left.append)] == ["a.ipynb"]
    assert len(left) == 2


def test_it_is_what_the_standard_library_makes_of_it(tmp_path):
    """Folders, files, links to either, to nothing and in circles; what is taken out is not looked into."""
    for name in ("a/b", "a/c", "d"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    for name, target in (("link", "a"), ("a/link", "b/file"), ("a/none", "gone"), ("a/circle", "circle")):
        (tmp_path / name).symlink_to(target)

    def without_c(found):
        for folder, below, names in found:
            below[:] = sorted(set(below) - {"c"})
            yield str(folder), below, sorted(names)

    assert list(without_c(walk(tmp_path))) == list(without_c(os.walk(tmp_path)))


def test_a_folder_that_is_not_there(tmp_path):
    """It is told of, and nothing is found."""
    refused = []
    assert not list(walk(Path(tmp_path, "gone"), refused=refused.append))
    assert [error.filename for error in refused] == [str(tmp_path / "gone")]
