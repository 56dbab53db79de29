"""The end of a tree of processes, whatever it does meanwhile."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from sandbox_kernel.host.engines.bubblewrap.limits import processes

FORKING = """
import os, time
while True:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.001)
"""


def test_what_is_forked_meanwhile_is_killed_as_well():
    """A root that goes on to fork while its tree is looked at leaves nobody behind."""
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-S", "-c", FORKING], start_new_session=True) as root:
            try:
                until(lambda: len(processes.tree(root.pid)) > 20)
                processes.kill_tree(processes.look(root.pid))
                root.wait(60)
                until(lambda: not _of_session(root.pid))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(root.pid, signal.SIGKILL)


def _of_session(session):
    """Return the living processes of a session: in /proc/PID/stat it is the sixth field."""
    living = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                living.add(entry)
    return living


def test_a_wall_that_is_killed_as_it_is_built_leaves_nothing():
    """Whenever that is: its child waits for a word that would not come any more."""
    walls = ["--unshare-user", "--unshare-pid", "--unshare-net", "--die-with-parent", "--ro-bind", "/", "/"]
    for step in range(40):
        command = ["bwrap", *walls, "--as-pid-1", "--", "/bin/cat"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as root:
            threading.Event().wait(step / 10_000)
            processes.kill_tree(processes.look(root.pid))
            root.wait(60)
            until(lambda: not _of_session(root.pid))


def until(condition):
    """Wait for it, at most a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
