"""What is said of a policy before anything is started."""

import sys
from pathlib import Path

import pytest

from sandbox_kernel.cli.walls import absent
from sandbox_kernel.policy import Policy


def test_modules_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is in no place is named, whether it would be imported or a part of it; none is imported."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.delitem(sys.modules, "this", raising=False)
    names = ("this", "json.decoder", "beside", "folder.part", "__main__", "nopkg", "pandsa.core")
    policy = Policy(engine="bubblewrap", preload=names)
    assert absent(policy, tmp_path) == [
        "--preload nopkg: there is no module 'nopkg' here; the kernel starts without it.",
        "--preload pandsa.core: there is no module 'pandsa' here; the kernel starts without it.",
    ]
    assert "this" not in sys.modules


def test_modules_of_an_image(tmp_path: Path) -> None:
    """Of what is in an image nothing is known here."""
    assert absent(Policy(engine="docker", preload=("nopkg",)), tmp_path) == []
