"""One file of lines, which many processes write at once and which never takes more than its size.

Each line is one write to a file that is open for appending: Linux puts it at the end, whole,
whoever else writes. The file is turned over (log → log.1 → log.2 …) by whoever finds it full
and gets a lock on it at once; the others do not wait, but write to the file that they have,
which is then log.1. Only beyond twice its share of the size do they wait, a second at most.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

FILES: Final = 4
"""The file and its predecessors: each takes that part of the whole size."""

PATIENCE: Final = 1.0
"""Seconds that another process has for turning the file over, which takes it microseconds."""

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def default_path() -> Path:
    """Return where a user's log is: in the directory for what programs remember (XDG)."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        home = os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises where there is none
        state = Path("/", home if home.startswith("/") else "", ".local", "state")
    return state / "sandbox-kernel" / "audit.jsonl"


class AuditLog:
    """A log by its path; holds nothing open, so it may be used from any thread and after a fork."""

    def __init__(self, path: Path, size: int) -> None:
        """Note the place, and the bytes that it and its predecessors may take together."""
        self.path = path
        self._full = size // FILES

    def __repr__(self) -> str:
        return f"<AuditLog {self.path}>"

    def append(self, line: bytes) -> None:
        """Write one line, which ends with its newline.

        :raises OSError: it cannot be written, or not all of it.
        """
        with contextlib.ExitStack() as opened:
            descriptor = self._open()
            opened.callback(os.close, descriptor)
            size = os.fstat(descriptor).st_size
            if size and size + len(line) > self._full:
                descriptor = self._turned_over(descriptor, size)
                opened.callback(os.close, descriptor)
                size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # A full disk has cut the last one short. Or another process is writing it just now,
                # and an empty line is left, which does no harm.
                line = b"\n" + line
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def files(self) -> list[Path]:
        """Return the files that there are, oldest first."""
        return [path for path in (*reversed(self._older()), self.path) if path.exists()]

    def _older(self) -> list[Path]:
        return [self.path.with_name(f"{self.path.name}.{number}") for number in range(1, FILES)]

    def _open(self) -> int:
        """Return the file, made if need be.

        :raises OSError: it cannot be opened, or others could write to it.
        """
        try:
            descriptor = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, _FLAGS | os.O_CREAT, 0o600)
        try:
            self._require_own(os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _require_own(self, status: os.stat_result) -> None:
        directory = self.path.parent.stat()
        shared = (stat.S_IMODE(status.st_mode) | stat.S_IMODE(directory.st_mode)) & 0o022
        ours = {status.st_uid, directory.st_uid} <= {os.geteuid(), 0}
        if not stat.S_ISREG(status.st_mode) or shared or not ours:
            raise OSError(errno.EPERM, "it is no regular file that nobody else can write to", str(self.path))

    def _turned_over(self, full: int, size: int) -> int:
        """Return the file to write to in place of a full one; the caller closes both.

        :raises OSError: it cannot be made.
        """
        if not _locked(full, PATIENCE if size > 2 * self._full else 0.0):
            return os.dup(full)
        if self._is_current(full):  # else another one was quicker
            names = [self.path, *self._older()]
            for number in range(FILES - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    names[number - 1].replace(names[number])
        return self._open()

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.lstat())
        except FileNotFoundError:
            return False


def _locked(descriptor: int, patience: float) -> bool:
    """Lock a file; return False if somebody else has it locked.

    :raises BlockingIOError: there was patience, and it has come to an end.
    """
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patience:
                return False
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return True
