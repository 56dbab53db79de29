"""Where artifacts are put: a folder, or a zip file.

Nothing that comes from inside decides where a file is written: folders are opened one by one below
the one that is held since before the run, never through a link, and files come to their names
when they are complete.
"""

import contextlib
import mmap
import os
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Final, Protocol, Self

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.destination import Destination


class Shelf(Protocol):
    """Where artifacts are put; held while it is entered."""

    path: Path

    def __enter__(self) -> Self:
        """Decide and hold the place.

        :raises NotebookError: nothing can be written there.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def place(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Return a file to write to, which has its name once it is left without an exception.

        :raises OSError: it cannot be there.
        """

    def finish(self) -> None:
        """Have everything in its place.

        :raises NotebookError: it cannot be written.
        """


def shelf(path: Path) -> Shelf:
    """Return the shelf at that path: a zip file, if it is called one, else a folder."""
    return ZipShelf(path) if path.suffix.lower() == ".zip" else FolderShelf(path)


class FolderShelf:
    """A folder, made if it is not there; files of the same names are replaced, others stay."""

    def __init__(self, path: Path) -> None:
        """Note the place."""
        self.path = path
        self._held = -1

    def __repr__(self) -> str:
        return f"<FolderShelf {self.path} {'held' if self._held >= 0 else 'not held'}>"

    def __enter__(self) -> Self:
        """Make it, and hold it: a link is followed once, now."""
        try:
            self.path.mkdir(exist_ok=True)
            self._held = os.open(self.path, _FOLDER)
            descriptor, temporary = _new_file(self._held)
            os.close(descriptor)
            os.unlink(temporary, dir_fd=self._held)
        except OSError as error:
            self._release()
            raise NotebookError(f"cannot put artifacts into {self.path}: {error.strerror}.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file in the right folder, under another name until it is complete."""
        *folders, last = PurePosixPath(name).parts
        with self._below(folders) as folder:
            descriptor, temporary = _new_file(folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                os.replace(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):  # somebody who may write there was quicker
                    os.unlink(temporary, dir_fd=folder)
                raise

    @contextlib.contextmanager
    def _below(self, folders: list[str]) -> Iterator[int]:
        """Yield a folder, opened step by step, so that no link on the way is followed."""
        current = os.dup(self._held)
        try:
            for name in folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=current)
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)

    def finish(self) -> None:
        """Do nothing: each file is there already."""


class ZipShelf:
    """A zip file, which is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Note the place."""
        self.path = path
        self._destination = Destination(path)
        self._stack = contextlib.ExitStack()
        self._broken: OSError | None = None

    def __repr__(self) -> str:
        return f"<ZipShelf {self.path}>"

    def __enter__(self) -> Self:
        """Hold the place, and begin the archive elsewhere."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._destination)
            if self._destination.is_stream:
                raise NotebookError(f"cannot put artifacts into {self.path}: it is no file; name a new one.")
            self._file = stack.enter_context(tempfile.TemporaryFile())
            self._archive = stack.enter_context(zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file of ours, of which a complete one goes into the archive.

        Where the archive has no room for all of it, there will be no archive: see `finish`.
        """
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            entry = zipfile.ZipInfo(name)  # always the same time: the same artifacts make the same archive
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            try:
                with self._archive.open(entry, "w", force_zip64=True) as packed:
                    while piece := file.read(1 << 20):
                        packed.write(piece)
            except OSError as error:  # `zipfile` takes what it has of a file for the whole of it
                self._broken = error
                raise

    def finish(self) -> None:
        """Write the archive to its place."""
        try:
            if self._broken:
                raise self._broken
            self._archive.close()
            self._file.flush()
        except (OSError, ValueError) as error:  # ValueError: a file was begun, and could not be ended
            reason = getattr(error, "strerror", None) or error
            raise NotebookError(f"cannot put artifacts into {self.path}: {reason}.") from error
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for _ in self._destination.write(content):
                pass


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _new_file(folder: int) -> tuple[int, str]:
    name = f".sandbox-kernel-{secrets.token_hex(8)}.tmp"
    return os.open(name, _NEW, 0o666, dir_fd=folder), name
