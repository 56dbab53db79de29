"""The process that cleans up after a host that was killed."""

import os
import signal
import subprocess
import sys

from sandbox_kernel.host.janitor import Janitor

HOST = """
import os, sys
from pathlib import Path
from sandbox_kernel.host.janitor import Janitor
janitor = Janitor()
directory = Path(sys.argv[1])
directory.mkdir()
janitor.note("test", directory)
print(janitor._process.pid, flush=True)
sys.stdin.read()
"""


def wait_for(pid):
    """Return when a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)


def test_a_killed_host_leaves_nothing(tmp_path):
    """After kill -9 of the host the directory is removed and the janitor is gone."""
    directory = tmp_path / "base" / "x"
    directory.parent.mkdir()
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with host:
        janitor = int(host.stdout.readline())
        assert directory.exists()
        host.send_signal(signal.SIGKILL)
    wait_for(janitor)
    assert not directory.parent.exists()


def test_what_was_forgotten_is_left_alone(tmp_path):
    """Only what is still noted when the host is gone is removed."""
    janitor = Janitor()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        janitor.note(name, tmp_path / name)
    janitor.forget("a")
    janitor._process.stdin.close()  # as the host's death does
    janitor._process.wait(60)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_it_ends_with_the_last(tmp_path):
    """There is no process where there is nothing to watch over, and what was forgotten stays."""
    janitor = Janitor()
    janitor.note("a", tmp_path)
    process = janitor._process
    janitor.forget("a")
    janitor.forget("a")
    assert process.poll() is not None
    assert tmp_path.exists()


def test_a_janitor_that_was_killed_is_replaced(tmp_path):
    """The next note starts another one, which knows what the first did."""
    janitor = Janitor()
    janitor.note("a", tmp_path / "a")
    janitor._process.kill()
    janitor._process.wait()
    janitor.note("b", tmp_path / "b")
    process = janitor._process
    janitor.forget("b")
    assert process.poll() is None
    janitor.forget("a")
    assert process.poll() is not None
