"""Which sandboxes run on this machine for this user: one small file each, beside its sockets.

A file counts only while its host process lives; a pid is believed only with its start time,
so that a recycled pid is never taken, or killed, for a sandbox.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from sandbox_kernel.errors import NoSuchSandboxError, SandboxError
from sandbox_kernel.host.owner import has_lost_its_owner, is_alive, start_time
from sandbox_kernel.host.runtime import is_private, runtime_bases

_FILE = "sandbox.json"
_STOP = "stop"
_BELL = "bell"

ANSWER_WITHIN = 10.0
"""Seconds that a host has to end a sandbox that only it can reach, in a container elsewhere."""


class Running(Struct, frozen=True):
    """One running sandbox."""

    id: str
    """The launch's name, by which the audit log and results know it as well."""
    pid: int
    """A process whose death is the sandbox's; 0 where there is none on this machine."""
    pid_start: int
    host_pid: int
    host_start: int
    started: float
    """Seconds since the epoch."""
    engine: str
    memory: int
    """Bytes that it may use."""
    directory: str
    """The notebook's directory."""


def enter(front: Path, *, name: str, pid: int, engine: str, memory: int, directory: Path) -> None:
    """Note a sandbox whose sockets are in `front`; `name` is its launch's.

    :raises OSError: the file cannot be written.
    """
    here = os.getpid()
    entry = Running(
        name, pid, start_time(pid), here, start_time(here), time.time(), engine, memory, str(directory)
    )
    new = front / f"{_FILE}.new"
    new.write_text(json.dumps(asdict(entry)), encoding="utf-8")
    new.replace(front / _FILE)


def leave(front: Path) -> None:
    """Forget a sandbox. Idempotent."""
    for name in (_FILE, _STOP, _BELL):
        (front / name).unlink(missing_ok=True)


class Bell:
    """Rings in the host when `stop` wants the end of a sandbox that it cannot kill itself."""

    def __init__(self, front: Path) -> None:
        """Hang it up beside the sandbox's sockets.

        :raises OSError: it cannot be made there.
        """
        self.directory = front
        (front / _BELL).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(str(front / _BELL))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when it rings."""
        return self._socket.fileno()

    def close(self) -> None:
        """Take it down. Idempotent."""
        self._socket.close()


def list_running() -> list[Running]:
    """Return this user's running sandboxes, oldest first."""
    return sorted((entry for _, entry in _running()), key=lambda entry: entry.started)


def _running() -> list[tuple[Path, Running]]:
    entries = ((path, _read(path)) for path in _fronts() if (path / _FILE).exists())
    return [(path, entry) for path, entry in entries if entry and is_alive(entry.host_pid, entry.host_start)]


def _fronts() -> list[Path]:
    found: list[Path] = []
    for base in filter(is_private, runtime_bases()):
        with contextlib.suppress(FileNotFoundError):  # another process has just removed it, empty
            found.extend(base.iterdir())
    return found


def _read(front: Path) -> Running | None:
    try:
        return Running(**json.loads((front / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # it ended meanwhile, or another version wrote it
        return None


def stop(identifier: str) -> Running:
    """End a sandbox by its id, or by the beginning of it, and return what it was.

    :raises NoSuchSandboxError: there is none, or more than one, with such an id.
    :raises SandboxError: its host does not answer.
    """
    found = [(front, entry) for front, entry in _running() if entry.id.startswith(identifier)]
    if len(found) != 1 or not identifier:
        problem = "more than one sandbox has" if found and identifier else "no running sandbox has"
        raise NoSuchSandboxError(
            f"{problem} an id beginning with {identifier!r}; `sandbox-kernel ps` lists them."
        )
    [(front, entry)] = found
    with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
        front.joinpath(_STOP).touch()
        if entry.pid:
            _kill(entry)
        else:
            _ring(front, entry)
    return entry


def _ring(front: Path, entry: Running) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell,
        contextlib.suppress(ConnectionError, FileNotFoundError),
    ):
        bell.sendto(b"stop", str(front / _BELL))
    deadline = time.monotonic() + ANSWER_WITHIN
    while _read(front) == entry:
        if time.monotonic() > deadline:
            raise SandboxError(
                f"sandbox {entry.id} was not ended within {ANSWER_WITHIN:g} s: process {entry.host_pid}, "
                "which started it, does not answer; end that process, and the sandbox ends with it."
            )
        time.sleep(0.02)


def _kill(entry: Running) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
        descriptor = os.pidfd_open(entry.pid)
        try:
            if is_alive(entry.pid, entry.pid_start):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def stop_requested(front: Path) -> bool:
    """Return whether `stop` has asked for the end of the sandbox whose sockets are in `front`."""
    return (front / _STOP).exists()


def sweep() -> list[Path]:
    """Remove the directories of hosts that were killed together with their janitor; return them."""
    swept = [path for path in _fronts() if has_lost_its_owner(path)]
    for path in swept:
        shutil.rmtree(path, ignore_errors=True)
    return swept


_SWEPT: set[str] = set()


def sweep_once(engine: str, sweep_engine: Callable[[], object]) -> None:
    """Once per process and engine, remove what hosts left that were killed together with their janitors."""
    if engine not in _SWEPT:
        _SWEPT.add(engine)
        sweep()
        sweep_engine()
