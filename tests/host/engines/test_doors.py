import os
import socket

import pytest

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines import doors
from sandbox_kernel.host.engines.doors import find_doors
from sandbox_kernel.host.engines.grants import Grant

ROOT = os.geteuid() == 0


def grant(path):
    return Grant(str(path), str(path), False, os.geteuid(), os.getegid())


@pytest.fixture
def listen():
    """Give a function that binds a socket to a name and listens."""
    with socket.socket(socket.AF_UNIX) as listener:

        def bind(path):
            listener.bind(str(path))
            listener.listen()
            return str(path)

        yield bind


def test_sockets_and_named_pipes_are_found(tmp_path, monkeypatch, listen):
    """Those bound by a relative name, and so unknown to the kernel's list, are found by the walk."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(".git")
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path / ".git")
    listen("daemon.ipc")
    assert set(find_doors([grant(tmp_path)], [])) == {f"{tmp_path}/fifo", f"{tmp_path}/.git/daemon.ipc"}


def test_a_socket_beyond_the_walk_is_found_by_its_name(tmp_path, monkeypatch, listen):
    """However deep, and however many files lie before it, the kernel knows a socket by its name."""
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "link").symlink_to("deep")
    monkeypatch.setattr(doors, "MOST_ENTRIES", 1)
    path = listen(tmp_path / "link/er/s")
    assert find_doors([grant(tmp_path)], []) == (str(tmp_path / "deep/er/s"),)
    os.unlink(path)
    assert find_doors([grant(tmp_path)], []) == ()


def test_the_walk_ends(tmp_path, monkeypatch):
    """After so many names the walk looks no further; nearer directories come first."""
    for name in ("a/b", "c"):
        (tmp_path / name).mkdir(parents=True)
    for place in ("a/b/fifo", "c/fifo"):
        os.mkfifo(tmp_path / place)
    assert len(find_doors([grant(tmp_path)], [])) == 2
    monkeypatch.setattr(doors, "MOST_ENTRIES", 4)
    assert find_doors([grant(tmp_path)], []) == (f"{tmp_path}/c/fifo",)


def test_environments_are_looked_at_by_name_alone(tmp_path, listen):
    """Tens of thousands of files are not walked through, but a socket with a name is found."""
    os.mkfifo(tmp_path / "fifo")
    path = listen(tmp_path / "s")
    assert find_doors([], [str(tmp_path)]) == (path,)
    (tmp_path / "project").mkdir()
    assert find_doors([grant(tmp_path / "project")], [str(tmp_path)]) == (path,)


def test_too_many_are_refused(tmp_path):
    """A folder full of them is refused in a sentence that says what to do."""
    for number in range(doors.MOST_DOORS + 1):
        os.mkfifo(tmp_path / str(number))
    with pytest.raises(WorkspaceError, match="more than 64 sockets and named pipes"):
        find_doors([grant(tmp_path)], [])


def test_what_the_sandbox_cannot_reach_is_left(tmp_path):
    """Bubblewrap could not cover what is in another user's private directory."""
    (tmp_path / "private").mkdir()
    os.mkfifo(tmp_path / "private/fifo")
    (tmp_path / "private").chmod(0o600)
    assert find_doors([grant(tmp_path)], []) == ()
    (tmp_path / "private").chmod(0o700)
    assert find_doors([grant(tmp_path)], []) == (f"{tmp_path}/private/fifo",)
    if ROOT:
        os.chown(tmp_path / "private", 12345, 12345)
        assert find_doors([grant(tmp_path)], []) == ()
        (tmp_path / "private").chmod(0o701)
        assert find_doors([grant(tmp_path)], []) == (f"{tmp_path}/private/fifo",)


def test_a_directory_that_vanishes_is_nothing(tmp_path):
    """A walk that loses the race with a removal finds nothing there."""
    assert find_doors([grant(tmp_path / "gone")], []) == ()
