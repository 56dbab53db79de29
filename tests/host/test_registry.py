"""The list of running sandboxes."""

import os
import subprocess

import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host import registry
from sandbox_kernel.host.front import Front


@pytest.fixture
def front(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    for module in ("front", "registry"):
        monkeypatch.setattr(
            f"sandbox_kernel.host.{module}.runtime_bases", lambda: [tmp_path / "sandbox-kernel"]
        )
    front = Front.create()
    yield front
    front.close()


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "100"])
    yield process
    process.kill()
    process.wait()


NAME = "0123456789abcdef"


def enter(front, pid):
    registry.enter(
        front.directory, name=NAME, pid=pid, engine="bubblewrap", memory=1, directory=front.directory
    )


def test_what_runs_is_listed_until_it_leaves(front, sleeper):
    """An entry appears with its facts, and goes."""
    enter(front, sleeper.pid)
    (entry,) = registry.list_running()
    assert (entry.id, entry.pid, entry.host_pid) == (NAME, sleeper.pid, os.getpid())
    registry.leave(front.directory)
    registry.leave(front.directory)
    assert registry.list_running() == []


def test_stop_ends_it_and_says_who_did(front, sleeper):
    """The process is killed, and the host can tell that `stop` did it."""
    enter(front, sleeper.pid)
    assert not registry.stop_requested(front.directory)
    registry.stop(NAME[:5])
    assert sleeper.wait(timeout=10) == -9
    assert registry.stop_requested(front.directory)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_host_that_does_not_answer_is_named(front, monkeypatch, hangs):
    """A sandbox without a process here can only be ended by its host; whoever waits for it is told."""
    monkeypatch.setattr(registry, "ANSWER_WITHIN", 0.1)
    enter(front, 0)
    bell = registry.Bell(front.directory) if hangs else None
    with pytest.raises(SandboxError, match=f"process {os.getpid()}"):
        registry.stop(NAME)
    if bell:
        bell.close()


def test_a_recycled_pid_is_not_killed(front, sleeper):
    """A pid whose start time differs is another process by now."""
    enter(front, sleeper.pid)
    path = front.directory / "sandbox.json"
    start = registry.start_time(sleeper.pid)
    path.write_text(path.read_text().replace(f'"pid_start": {start}', f'"pid_start": {start + 1}'))
    registry.stop(NAME)
    assert sleeper.poll() is None


@pytest.mark.parametrize("identifier", ["", "nothing", "*", "../.."])
def test_an_unknown_id_is_one_sentence(front, sleeper, identifier):
    """Nothing is stopped on a guess."""
    enter(front, sleeper.pid)
    with pytest.raises(SandboxError, match="ps"):
        registry.stop(identifier)
    assert sleeper.poll() is None


def test_what_a_dead_host_left_is_swept(front, sleeper):
    """Entries of hosts that are gone are neither listed nor kept, with or without a sandbox."""
    enter(front, sleeper.pid)
    path = front.directory / "sandbox.json"
    here = registry.start_time(os.getpid())
    path.write_text(path.read_text().replace(f'"host_start": {here}', '"host_start": 1'))
    assert registry.list_running() == []
    assert registry.sweep() == []  # the directory's owner lives
    path.unlink()
    (front.directory / "owner").write_text(f"{os.getpid()} 1")
    assert registry.sweep() == [front.directory]
    assert not front.directory.exists()


def test_a_broken_entry_is_passed_over(front):
    """Another version's file, or half a file, is no error."""
    (front.directory / "sandbox.json").write_text('{"id": 1')
    assert registry.list_running() == []
