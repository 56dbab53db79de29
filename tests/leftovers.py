"""Counts what sandboxes leave on a machine: processes, cgroups, mounts, sockets, directories.

Processes are found by descent: while a census is open the test process adopts the orphans
below it, so a sandbox whose host process was killed with SIGKILL still counts. Only what
appeared since the census began is looked at, and only what can be ours: other people, and the
tests beside this one, run sandboxes on this machine. That is why each test session has a
runtime directory of its own.
"""

import contextlib
import ctypes
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES

PR_SET_CHILD_SUBREAPER = 36
OURS = "sandbox-kernel"
DAEMONS = f"{OURS}-test"
"""In the paths of the container daemons that tests run beside this one: they are asked what is left."""
NOT_OURS = ("multiprocessing.resource_tracker", "tests.daemons", f"/run/{DAEMONS}/", f"/var/lib/{DAEMONS}/")
"""In the command lines of what a whole session uses, whichever of its tests had it started."""
PATIENCE = 15.0  # seconds; removal of a cgroup waits for the kernel to bury its last process


class Census:
    """What was there when it was made; afterwards, what came and has not gone."""

    def __init__(self) -> None:
        self._before = self._count()

    def added(self) -> set[str]:
        """Return what is there now and was not before, one line for each thing."""
        return self._count() - self._before

    def settle(self, patience: float = PATIENCE, *, bury: bool = False) -> set[str]:
        """Wait until all that came since the start has gone; return what did not go.

        :param bury: reap what was orphaned to us, as the system's process 1 does. The first process of a
            forked kernel waits for that: its siblings' parent, the template, may have been killed first.
            Not while a child that the test itself waits for may end.
        """
        deadline = time.monotonic() + patience
        left = self.added()
        while left and time.monotonic() < deadline:
            threading.Event().wait(0.02)
            if bury:
                _bury_adopted()
            left &= self._count()
        return left

    def _count(self) -> set[str]:
        return {*_processes(), *_cgroups(), *_mounts(), *_sockets(), *_directories(), *_threads()}


@pytest.fixture(scope="session", autouse=True)
def runtime_directory() -> Iterator[Path]:
    """Where this session's sandboxes keep their sockets; short, for a socket's path is."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="skt-", dir="/tmp") as directory:
        os.environ["XDG_RUNTIME_DIR"] = directory
        yield Path(directory)
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture
def no_leftovers(runtime_directory: Path) -> Iterator[Census]:
    """Fail when the test leaves anything behind; `settle()` asks in the middle of one."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    census = Census()
    try:
        yield census
        left = census.settle() and census.settle(bury=True)
        _end(left)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        _bury_adopted()
    assert not left, "left behind:\n" + "\n".join(sorted(left))


def _stat(pid: str) -> tuple[str, int, str] | None:
    """Return state, parent and start time of a process, None when it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1]), fields[19]


def _family() -> dict[int, tuple[str, int, str]]:
    """Return all descendants of this process."""
    every = {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
    family: dict[int, tuple[str, int, str]] = {}
    parents = {os.getpid()}
    while parents:
        children = {pid for pid, (_, parent, _) in every.items() if parent in parents} - family.keys()
        family |= {pid: every[pid] for pid in children}
        parents = children
    return family


def _processes() -> Iterator[str]:
    forked_from = _templates()
    for pid, (state, _, started) in _family().items():
        if pid in forked_from:
            continue
        try:
            command = (
                Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")[:200].decode(errors="replace")
            )
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z" and not any(part in command for part in NOT_OURS):
            yield f"process {pid} (started {started}): {command}"


def _templates() -> set[int]:
    """Return what a whole session's kernels are forked from: no test leaves it, whichever had it started."""
    return {template.pid for slot in [*TEMPLATES._slots.values()] if (template := slot.template)}


def _end(left: set[str]) -> None:
    """End the processes among what was left: the test has failed, and no later one shall with it."""
    for line in left:
        if line.startswith("process "):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[1]), signal.SIGKILL)


def _bury_adopted() -> None:
    """Reap the orphans that we adopted: nobody else will."""
    for pid, (state, parent, _) in _family().items():
        if state == "Z" and parent == os.getpid():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _cgroups() -> Iterator[str]:
    family = _family().keys()
    for directory, below, _ in os.walk("/sys/fs/cgroup"):
        for name in [name for name in below if name.startswith(OURS)]:
            try:
                members = {int(pid) for pid in Path(directory, name, "cgroup.procs").read_text().split()}
            except OSError:  # gone since it was listed
                continue
            if not members or members & family:  # else it is somebody else's, and alive
                yield f"cgroup {directory}/{name}"


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if DAEMONS not in line and " /run/netns" not in line:
            yield "mount " + " ".join(line.split()[2:5])


def _sockets() -> Iterator[str]:
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines():
        path = line.split()[-1]
        if path.startswith(os.environ["XDG_RUNTIME_DIR"]):
            yield f"socket {path}"


def _directories() -> Iterator[str]:
    """Yield what is in the session's own directory for sockets, and what has our name in temporary ones."""
    for parent, directories, files in os.walk(
        os.environ["XDG_RUNTIME_DIR"]
    ):  # which bears what goes meanwhile
        yield from (f"file {parent}/{name}" for name in (*directories, *files))
    # Where sandboxes without our environment are, anybody's; where daemons are, and where images are built.
    others = re.compile(rf"{OURS}-\d+$|{DAEMONS}|{OURS}-image-")
    for parent in {tempfile.gettempdir(), "/tmp", "/run"}:
        yield from (f"file {path}" for path in Path(parent).glob(f"{OURS}*") if not others.match(path.name))


def _threads() -> Iterator[str]:
    for thread in threading.enumerate():
        if "sandbox" in thread.name and thread.name != "sandbox-sessions":  # which stays with its process
            yield f"thread {thread.name} ({thread.ident})"
