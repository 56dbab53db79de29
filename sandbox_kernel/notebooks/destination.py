"""Where an executed notebook goes: decided once, before anything runs.

Cells may write into the directory that takes the result (a workspace that is granted for
writing), and the result is written outside the wall. So nothing that a cell can change
decides where it goes:

- links on the way are followed once, before the run, and the directory is held by a
  descriptor from then on;
- the result is a new file of our own making, moved to its name: a reader, or a machine that
  loses power, finds the old file or the new one and never half of either. Whatever is at that
  name by then (a link, a pipe, a device) is replaced, never opened;
- a pipe or device counts only where it was there before the run, under a name that the user
  gave; it is held from then on. It is never waited for in a blocking call;
- a name that we made up (NAME-executed.ipynb, a file in `-o DIR`) is not followed at all: an
  earlier run's cell may have left a link there.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox_kernel.errors import NotebookError

READER_SECONDS = 0.05
"""How long to wait, whenever `Destination.write` yields, before it is asked to go on."""

SUFFIX = ".ipynb"
MOST_LOOKED_AT = 1 << 20
"""Bytes of a file without that ending in which a notebook has begun its cells."""

_HELD = os.O_PATH | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STREAM = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Destination:
    """A place for one notebook, held while it is entered; then `write` may be called many times."""

    def __init__(self, path: Path, *, given: bool = True, settled: bool = False) -> None:
        """Note the place.

        :param given: its whole name is the user's, who may mean a link or a pipe.
        :param settled: links in the names of its folders were followed before; one that is there now
            has come since, and is refused.
        """
        self.path = path
        self.is_stream = False
        """Whether it takes a notebook once, byte by byte, as pipes and devices do."""
        self.replaces = False
        """Whether there is an older file, which would be taken for this run's until it is replaced."""
        self._given = given
        self._settled = settled
        self._held = -1
        self._name = ""
        self._mode = 0o600

    def __repr__(self) -> str:
        return f"<Destination {self.path} {'held' if self._held >= 0 else 'not held'}>"

    @property
    def unread(self) -> str:
        """What to say of a stream that was not written to its end."""
        return f"Nobody read {self.path} to its end."

    def __enter__(self) -> Self:
        """Decide and hold it.

        :raises NotebookError: it cannot be written; better said before an hour of computing than after.
        """
        with self._explaining():
            self._decide()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def write(self, data: bytes | mmap) -> Generator[None, None, None]:
        """Write it all; yield whenever the reader of a pipe lets us wait, for as long as it does.

        A file is there whole or not at all, and nothing is yielded.

        :raises NotebookError: it cannot be written.
        """
        with self._explaining():
            if self.is_stream:
                yield from self._pour(data)
            else:
                self._replace(data)

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            reason = getattr(error, "strerror", None) or "its links lead in a circle"
            raise NotebookError(f"cannot write {self.path}: {reason}.") from error

    def _decide(self) -> None:
        found = self._look()
        if found is not None and stat.S_ISDIR(found):
            raise NotebookError(f"cannot write {self.path}: it is a directory; name a file in it.")
        if self._given and found is not None and not stat.S_ISREG(found):
            self._hold_stream()
            return
        self.replaces = found is not None
        self._hold_directory()

    def refuse_other_content(self) -> None:
        """Refuse to put a notebook in the place of something else.

        :raises NotebookError: there is a file that is none, nor is called one.
        """
        with self._explaining():
            if self.replaces and self._given and self._is_something_else():
                raise NotebookError(
                    f"cannot write {self.path}: what is there is no notebook, and nothing else is replaced; "
                    "name another place, or remove it first."
                )

    def refuse_all_but(self, mark: bytes, kind: str) -> None:
        """Refuse to put a report in the place of something else: of what it is about, say.

        :param mark: what a report of its kind has among its first bytes; `kind` names it.
        :raises NotebookError: there is a file without it, that is not empty.
        """
        with self._explaining():
            if self.replaces and (text := self._beginning()) and mark not in text:
                raise NotebookError(
                    f"cannot write {self.path}: what is there is no {kind}, and nothing else is replaced; "
                    "name another place, or remove it first."
                )

    def _is_something_else(self) -> bool:
        if self.path.suffix == SUFFIX:
            return False
        text = self._beginning()
        return bool(text) and not (text.lstrip().startswith(b"{") and b'"cells"' in text)

    def _beginning(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(MOST_LOOKED_AT)

    def _look(self) -> int | None:
        """Return what is there, as `st_mode` has it; None: nothing."""
        try:
            return self.path.stat(follow_symlinks=self._given).st_mode
        except FileNotFoundError:
            return None

    def _hold_stream(self) -> None:
        self._held = os.open(self.path, _HELD)
        mode = os.fstat(self._held).st_mode
        if stat.S_ISSOCK(mode) or not os.access(self._again, os.W_OK):
            self._release()
            raise OSError(errno.EACCES, "it does not take what is written")
        self.is_stream = True

    @property
    def _again(self) -> str:
        """What is held, to be opened for writing."""
        return f"/proc/self/fd/{self._held}"

    def _hold_directory(self) -> None:
        parent, self._name = self._directory_and_name()
        self._held = os.open(parent, _HELD | os.O_DIRECTORY)
        try:
            self._compare(parent)
            self._mode = self._mode_there()
            descriptor, temporary = self._new_file()
            os.close(descriptor)
            os.unlink(temporary, dir_fd=self._held)
        except OSError:
            self._release()
            raise

    def _directory_and_name(self) -> tuple[Path, str]:
        if self._settled:
            return self.path.parent, self.path.name
        if self._given:
            target = self.path.resolve()
            return target.parent, target.name
        return self.path.parent.resolve(), self.path.name

    def _compare(self, parent: Path) -> None:
        """Make sure that no link came into the way since links were followed."""
        if Path(self._again).readlink() != parent:
            raise OSError(errno.EAGAIN, "its directory changes while we look at it")

    def _mode_there(self) -> int:
        """Return the permissions of the file that is there, or those a new file would get."""
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(self._name, dir_fd=self._held, follow_symlinks=False).st_mode
            if stat.S_ISREG(found):
                return found & 0o777
        mask = os.umask(0o077)  # there is no other way to ask
        os.umask(mask)
        return 0o666 & ~mask

    def _new_file(self) -> tuple[int, str]:
        name = f".sandbox-kernel-{secrets.token_hex(8)}.tmp"
        return os.open(name, _NEW, 0o600, dir_fd=self._held), name

    def _replace(self, data: bytes | mmap) -> None:
        descriptor, temporary = self._new_file()
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(descriptor, self._mode)
                os.fsync(descriptor)
            os.replace(temporary, self._name, src_dir_fd=self._held, dst_dir_fd=self._held)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._held)
            raise

    def _pour(self, data: bytes | mmap) -> Iterator[None]:
        left = memoryview(data)
        while (descriptor := self._open_stream()) is None:
            yield
        try:
            while left:
                try:
                    left = left[os.write(descriptor, left) :]
                except BlockingIOError:
                    yield
        finally:
            os.close(descriptor)

    def _open_stream(self) -> int | None:
        """Return a descriptor, None while nobody reads the pipe."""
        try:
            return os.open(self._again, _STREAM)
        except OSError as error:
            if error.errno == errno.ENXIO and stat.S_ISFIFO(os.fstat(self._held).st_mode):
                return None
            raise

    def _release(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
