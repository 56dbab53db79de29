"""One control group of ours: made, written and read back, emptied and removed.

Rules:

* A value that reads back as another is an error (`LimitUnenforceableError`), never shrugged off.
* Removing is bounded in time and cannot fail loudly: what is left stays in `directories`, for the
  janitor.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.bubblewrap.limits.processes import is_init, look, send

MAX_TEXT = 1 << 14
"""Bytes of a group's file with numbers; the longest, memory.stat, has 2 KiB."""

PATIENCE = 5.0
"""Seconds to wait for killed processes to be gone: one in uninterruptible sleep may never go."""


def write(file: Path, value: str, *, accept: str | None = None) -> None:
    """Write a limit and read it back.

    :param accept: what it reads back as, where that is not what was written.
    :raises LimitUnenforceableError: it cannot be written, or reads back as something else.
    """
    try:
        file.write_text(value)
        now = file.read_text().strip()
    except OSError as error:
        raise LimitUnenforceableError(
            f"The limit {value} cannot be set in {file}: {error.strerror}."
        ) from error
    if now != (value if accept is None else accept):
        raise LimitUnenforceableError(f"{file} was set to {value}, but reads back as {now}.")


def read_int(file: Path | str, key: str | None = None) -> int:
    """Return a number from a group's file, or the number after `key` in it; 0 where there is none.

    It is read for each cell's reply, so without what text files cost in Python: five times as much.
    """
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, MAX_TEXT).decode()
        finally:
            os.close(descriptor)
        if key is None:
            return int(text)
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0


@contextlib.contextmanager
def made(directories: Sequence[Path]) -> Iterator[None]:
    """Make groups; should the work that follows fail, remove those again, and no others.

    :raises LimitUnenforceableError: the kernel refuses, or there is one already.
    """
    ours: list[Path] = []
    try:
        for directory in directories:
            _make(directory)
            ours.append(directory)
        yield
    except BaseException:
        for directory in ours:
            remove(directory)
        raise


def _make(directory: Path) -> None:
    try:
        directory.mkdir()
    except OSError as error:
        raise LimitUnenforceableError(
            f"No control group can be made at {directory}: {error.strerror}."
        ) from error


def hand_down(directory: Path, controllers: Iterable[str]) -> None:
    """Let the groups below a version 2 group use controllers.

    :raises LimitUnenforceableError: the kernel refuses, as it does where the group holds processes.
    """
    file = directory / "cgroup.subtree_control"
    try:
        file.write_text(" ".join(f"+{controller}" for controller in sorted(controllers)))
    except OSError as error:
        raise LimitUnenforceableError(
            f"Controllers cannot be handed down in {file}: {error.strerror}."
        ) from error


def move(pid: int, directory: Path) -> None:
    """Put a process into a group.

    :raises LimitUnenforceableError: the kernel refuses.
    """
    try:
        (directory / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise LimitUnenforceableError(
            f"Process {pid} cannot be put into the control group {directory}: {error.strerror}."
        ) from error


def members(directory: Path) -> list[int]:
    """Return the numbers of the processes in a group; none where it is gone."""
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def kill_members(directory: Path, killed: set[int] | None = None) -> None:
    """Kill every process in a group: in one stroke where the kernel can (version 2, Linux 5.14).

    :param killed: those that were killed as members of another group, and are not looked at again; grows.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(directory / "cgroup.kill", os.O_WRONLY)
        try:
            os.write(descriptor, b"1")
        finally:
            os.close(descriptor)
        return
    # A pid namespace's process 1 first: its death lets nothing be forked any more, and ends the rest.
    killed = set() if killed is None else killed
    for pid in sorted({*members(directory)} - killed, key=is_init, reverse=True):
        process = look(pid)
        # A second look at the group: the number may by now belong to a stranger.
        if process is not None and pid in members(directory) and send(process, signal.SIGKILL):
            killed.add(pid)


def remove(directory: Path, patience: float = PATIENCE) -> bool:
    """Kill what is left in a group and remove it; tell whether it is gone."""
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError:  # somebody is in it
            kill_members(directory)
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        else:
            return True
