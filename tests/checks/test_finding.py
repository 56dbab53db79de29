"""Which submissions are meant, in a folder that may be a stranger's."""

from pathlib import Path

import pytest

from sandbox_kernel.checks.finding import find_submissions
from sandbox_kernel.checks.many import Entry
from sandbox_kernel.errors import ChecksError


def test_a_folder(tmp_path: Path) -> None:
    """Scripts and notebooks are found, links as well (to be refused), hidden ones not."""
    for name in ("b.py", "a.ipynb", ".hidden.py", "notes.txt", "__pycache__/c.py", "sub/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.py").symlink_to("b.py")
    found = [entry.path.relative_to(tmp_path) for entry in find_submissions([str(tmp_path)])]
    assert list(map(str, found)) == ["a.ipynb", "b.py", "link.py", "sub/d.py"]


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a million links is looked at no further than its submissions may count."""
    for number in range(9):
        (tmp_path / f"{number}.py").symlink_to("x")
    monkeypatch.setattr("sandbox_kernel.checks.finding.MAX_SUBMISSIONS", 3)
    looked_at: list[str] = []

    def noted(path: Path, name: str) -> Entry:
        looked_at.append(name)
        return Entry(path, name)

    monkeypatch.setattr("sandbox_kernel.checks.finding.Entry", noted)
    with pytest.raises(ChecksError, match="more than 3 submissions"):
        find_submissions([str(tmp_path)])
    assert len(looked_at) == 4
