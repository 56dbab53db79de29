"""Where the artifacts of a batch's runs go."""

from pathlib import Path

import pytest

from sandbox_kernel.batches.artifacts import ArtifactFolders
from sandbox_kernel.errors import NotebookError
from tests.batches.runs import job

ONE = job(output=Path("/out/sub/a--n=1.ipynb"))


def test_each_has_its_own(tmp_path: Path) -> None:
    """They are arranged as the results are; a run that leaves nothing leaves no folder."""
    with ArtifactFolders(tmp_path / "art", Path("/out")) as folders:
        assert folders.of(ONE) == tmp_path / "art/sub/a--n=1"
        with folders.held(ONE):
            assert folders.of(ONE).is_dir()
        assert not folders.of(ONE).exists()
        with folders.held(ONE) as place:
            (place / "x").write_text("kept")
    assert (tmp_path / "art/sub/a--n=1/x").read_text() == "kept"


@pytest.mark.parametrize("planted", ["sub", "sub/a--n=1"])
def test_links_are_not_followed(tmp_path: Path, planted: str) -> None:
    """A link that a cell has left in their place takes no artifacts, nor does one that comes later."""
    victim, root = tmp_path / "victim", tmp_path / "art"
    victim.mkdir()
    with ArtifactFolders(root, Path("/out")) as folders:
        (root / planted).parent.mkdir(exist_ok=True)
        (root / planted).symlink_to(victim)
        with pytest.raises(NotebookError, match="cannot put artifacts into"), folders.held(ONE):
            pytest.fail("followed")
        (root / planted).unlink()
        with folders.held(ONE) as place:
            (root / "sub").rename(root / "moved")
            (root / "sub").symlink_to(victim)
            (place / "x").write_text("kept")
        root.rename(tmp_path / "elsewhere")
        root.symlink_to(victim)
        with pytest.raises(NotebookError), folders.held(ONE):
            pytest.fail("followed")
    assert not list(victim.iterdir())
