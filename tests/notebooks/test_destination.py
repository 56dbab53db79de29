"""Where a notebook goes: decided once, whatever a cell puts there afterwards."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Destination
from sandbox_kernel.notebooks.files import read_notebook, write_notebook
from tests.notebooks.runs import notebook


def write(destination: Destination, data: bytes = b"result") -> None:
    """Write a file, which never waits."""
    assert not list(destination.write(data))


def plant(kind: str, path: Path, victim: Path) -> None:
    """Put at `path` what a cell may put there."""
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "dangling link":
        path.symlink_to(victim.with_name("new"))
    elif kind == "link to a directory":
        path.symlink_to(victim.parent)
    elif kind == "hard link":
        path.hardlink_to(victim)
    else:
        os.mkfifo(path)


KINDS = ["link", "dangling link", "link to a directory", "hard link", "pipe"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [True, False])
def test_what_is_planted_during_the_run_is_replaced(tmp_path: Path, kind: str, given: bool) -> None:
    """A link or pipe that appears at the name once it is held is replaced, neither followed nor opened."""
    path, victim = tmp_path / "work" / "out.ipynb", tmp_path / "victim"
    path.parent.mkdir()
    victim.write_text("precious")
    with Destination(path, given=given) as destination:
        for _ in range(2):  # as when it is saved on the way, and at last
            plant(kind, path, victim)
            write(destination)
            assert path.read_bytes() == b"result"
            assert stat.S_ISREG(path.lstat().st_mode)
            path.unlink()
    assert victim.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["victim", "work"]
    assert not os.listdir(path.parent)


def test_a_directory_that_becomes_a_link(tmp_path: Path) -> None:
    """When the directory is swapped for a link to another, the result is in the one that was meant."""
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    with Destination(work / "out.ipynb") as destination:
        work.rename(tmp_path / "moved")
        work.symlink_to(elsewhere)
        write(destination)
    assert os.listdir(tmp_path / "moved") == ["out.ipynb"]
    assert not os.listdir(elsewhere)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_planted_at_a_name_of_ours(tmp_path: Path, kind: str) -> None:
    """A name that the user did not give is not followed, though the link was there before the run."""
    path, victim = tmp_path / "a-executed.ipynb", tmp_path / "victim"
    victim.write_text("precious")
    plant(kind, path, victim)
    with Destination(path, given=False) as destination:
        assert not destination.is_stream
        write(destination)
    assert path.read_bytes() == b"result"
    assert victim.read_text() == "precious"
    assert not (tmp_path / "new").exists()


def test_links_and_permissions_that_were_there_before(tmp_path: Path) -> None:
    """A link that the user names stays a link, and its file keeps its permissions."""
    real, link = tmp_path / "real.ipynb", tmp_path / "link.ipynb"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_notebook(notebook("1"), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert read_notebook(real).cells[0].source == "1"


def test_permissions_are_those_of_before(tmp_path: Path) -> None:
    """A cell that changes the permissions of the file does not change those of the result."""
    path = tmp_path / "x.ipynb"
    path.touch(0o600)
    with Destination(path) as destination:
        path.chmod(0o666)
        write(destination)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_new_file_permissions(tmp_path: Path) -> None:
    """A new file is as readable as other new files."""
    (tmp_path / "other").touch()
    write_notebook(notebook("1"), tmp_path / "x.ipynb")
    assert (tmp_path / "x.ipynb").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_devices_are_written_to() -> None:
    """A device is written to, not replaced by a file."""
    write_notebook(notebook("1"), Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_a_pipe_and_its_reader(tmp_path: Path) -> None:
    """A pipe gets all of it, as fast as it is read; until somebody reads, nothing blocks."""
    path, data, got = tmp_path / "pipe", b"x" * 1_000_000, []
    os.mkfifo(path)
    with Destination(path) as destination:
        assert destination.is_stream
        writing = destination.write(data)
        for _ in range(3):
            next(writing)
        reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
        reader.start()
        for _ in writing:
            pass
        reader.join()
    assert got == [data]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_that_is_swapped(tmp_path: Path) -> None:
    """A pipe that was there before the run is meant, not what bears its name afterwards."""
    path, victim = tmp_path / "pipe", tmp_path / "victim"
    os.mkfifo(path)
    victim.write_text("precious")
    with Destination(path) as destination:
        path.rename(tmp_path / "moved")
        path.symlink_to(victim)
        next(destination.write(b"x"))
        reader = os.open(tmp_path / "moved", os.O_RDONLY | os.O_NONBLOCK)
        write(destination)
        assert os.read(reader, 100) == b"result"
        os.close(reader)
    assert victim.read_text() == "precious"


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails half-way the old file is untouched and nothing else is left."""
    path = tmp_path / "x.ipynb"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotebookError, match="No space left"):
        write_notebook(notebook("1"), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.ipynb"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """What cannot be written is refused at once; asking leaves nothing behind, no descriptor either."""
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    before = os.listdir("/proc/self/fd")
    for place in (tmp_path, tmp_path / "missing" / "x.ipynb", Path("/proc/x.ipynb"), circle):
        with pytest.raises(NotebookError, match="cannot write"), Destination(place):
            pass
    with Destination(tmp_path / "x.ipynb"):
        pass
    assert os.listdir(tmp_path) == ["circle"]
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("name", ["data.csv", "script.py", "notes"])
def test_what_is_no_notebook_is_kept(tmp_path: Path, name: str) -> None:
    """A slip of the pen does not turn a file of data into a notebook; a notebook of any name is replaced."""
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(NotebookError, match="is no notebook"), Destination(path) as destination:
        destination.refuse_other_content()
    assert path.read_text() == "precious"
    for old in (notebook("1"), None):  # and what is empty
        path.write_bytes(b"")
        if old is not None:
            write_notebook(old, path)
        with Destination(path) as destination:
            destination.refuse_other_content()
            write(destination)
        assert path.read_bytes() == b"result"


def test_folders_that_were_settled_before(tmp_path: Path) -> None:
    """A place that was planned earlier is that place: a link that has come into its folders is refused."""
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    with Destination(folder / "a.ipynb", given=False, settled=True) as destination:
        write(destination)
    assert (folder / "a.ipynb").read_bytes() == b"result"
    folder.rename(tmp_path / "moved")
    folder.symlink_to(elsewhere)
    with pytest.raises(NotebookError, match="its directory changes"):
        Destination(folder / "a.ipynb", given=False, settled=True).__enter__()
    assert not list(elsewhere.iterdir())
