"""What a notebook's code has left in $SANDBOX_ARTIFACTS, brought out and put where it was asked for.

Names, kinds, sizes and bytes are the kernel's word. What is taken are plain files with plain names, as
many and as large as is allowed; everything else is left out, and said to be. Nothing that comes from
inside decides where a file is written: folders are opened one by one below the one that is
held since before the run, never through a link, and files come to their names when they are complete.
"""

import contextlib
import hashlib
import mmap
import os
import secrets
import tempfile
import unicodedata
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self

from sandbox_kernel.errors import NotebookError, TransferError
from sandbox_kernel.notebooks.destination import Destination
from sandbox_kernel.notebooks.transfer import Entry, KernelFiles
from sandbox_kernel.policy import format_size

VARIABLE: Final = "SANDBOX_ARTIFACTS"
"""The environment variable that tells a notebook's code where to leave them."""

MAX_FILES: Final = 1000
"""Artifacts of a run: more than reports and figures are, less than data unpacked by mistake."""

MAX_BYTES: Final = 1 << 30
"""Bytes of all artifacts of a run: four times what the default policy gives /tmp, where they are."""

MAX_NAME: Final = 1024
"""Bytes of an artifact's path: with a folder before it, still less than the 4096 that a system takes."""

MAX_PART: Final = 255
"""Bytes of one part of it, as file systems have it."""

MAX_SENTENCES: Final = 20
"""Sentences on what was left out that a result carries; the rest is counted."""

NO_KERNEL: Final = "The artifacts were not collected: the sandbox that held them is gone."
NOT_IDLE: Final = "The artifacts were not collected: the interrupted cell did not come to its end."
CANCELLED: Final = "The artifacts were not collected: the run was cancelled."


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that was brought out."""

    name: str
    """Its path below $SANDBOX_ARTIFACTS, and below the place where it was put."""
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"name": self.name, "size_bytes": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of collecting."""

    artifacts: tuple[Artifact, ...] = ()
    left_out: tuple[str, ...] = ()
    """A sentence on each thing that was not taken."""


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
        """Yield a file of ours, of which a complete one goes into the archive."""
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            entry = zipfile.ZipInfo(name)  # always the same time: the same artifacts make the same archive
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with self._archive.open(entry, "w", force_zip64=True) as packed:
                while piece := file.read(1 << 20):
                    packed.write(piece)

    def finish(self) -> None:
        """Write the archive to its place."""
        self._archive.close()
        self._file.flush()
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for _ in self._destination.write(content):
                pass


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _new_file(folder: int) -> tuple[int, str]:
    name = f".sandbox-kernel-{secrets.token_hex(8)}.tmp"
    return os.open(name, _NEW, 0o666, dir_fd=folder), name


async def collect(files: KernelFiles, folder: str, place: Shelf, *, seconds: float) -> Collected:
    """Bring out what is in that folder of an idle kernel, as far as `seconds` go.

    What cannot be taken is left out with a sentence; what was taken stays, whatever comes after it.

    :raises NotebookError: what was taken cannot be written to its place.
    """
    taken: list[Artifact] = []
    notes = _Notes()
    room, deadline = MAX_BYTES, monotonic() + seconds
    try:
        async for entry in _entries(files, folder, notes):
            if monotonic() > deadline:
                notes.add(f"The artifacts from {entry.name} on were left out: {seconds:g} s had passed.")
                break
            try:
                taken.append(await _take(files, folder, entry, place, room, deadline))
                room -= taken[-1].size
            except (TransferError, OSError) as error:
                notes.add(f"{entry.name} was left out: {getattr(error, 'strerror', None) or error}")
    except TransferError as error:
        notes.add(f"The artifacts could not be listed: {error}")
    place.finish()
    return Collected(tuple(taken), notes.sentences)


async def _entries(files: KernelFiles, folder: str, notes: "_Notes") -> AsyncIterator[Entry]:
    """Yield what may be taken; note what may not."""
    known: set[str] = set()
    count = 0
    async for entry in files.names(folder, most=MAX_FILES + 1):
        count += 1
        if count > MAX_FILES:
            notes.add(f"There are more than {MAX_FILES} artifacts; the rest was left out: pack them.")
            return
        if fault := fault_of(entry.name):
            notes.add(f"An artifact was left out, because its name {fault}: {_quoted(entry.name)}.")
        elif entry.kind != "file":
            notes.add(f"{entry.name} was left out: it is a {_quoted(entry.kind)}, no file.")
        elif entry.name in known:
            notes.add(f"{entry.name} was left out the second time that it came.")
        else:
            known.add(entry.name)
            yield entry


async def _take(
    files: KernelFiles, folder: str, entry: Entry, place: Shelf, room: int, deadline: float
) -> Artifact:
    """Bring one file out: as many bytes as it had when it was listed, though it may have grown since.

    :raises TransferError: it is too large, has become shorter, or cannot be read.
    :raises OSError: it cannot be written.
    """
    if entry.size > room:
        allowed = format_size(MAX_BYTES)
        raise TransferError(f"it has {format_size(entry.size)}, and all artifacts may have {allowed}.")
    digest, left = hashlib.sha256(), entry.size
    with place.place(entry.name) as file:
        async for piece in files.read(f"{folder}/{entry.name}", limit=None, follow=False):
            part = piece[:left]
            digest.update(part)
            file.write(part)
            left -= len(part)
            if not left or monotonic() > deadline:
                break
        if left and monotonic() > deadline:
            raise TransferError("there was no time left.")
        if left:
            raise TransferError("it became shorter while it was read.")
    return Artifact(entry.name, entry.size, f"sha256:{digest.hexdigest()}")


_STRANGE: Final = ("Cc", "Cf", "Cn", "Co", "Zl", "Zp")
"""Characters that control something, or that nobody sees."""


def fault_of(name: str) -> str | None:
    """Return what is wrong with an artifact's name; None if it is a plain path that leads down."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "does not lead to a file below"
    if "\\" in name or any(unicodedata.category(letter) in _STRANGE for letter in name):
        return "has characters that names should not have"
    if len(encoded) > MAX_NAME or any(len(part.encode()) > MAX_PART for part in parts):
        return "is too long"
    return None


def _quoted(text: str) -> str:
    shown = text if text.isascii() and text.isalpha() else ascii(text[:80])
    return shown if len(text) <= 80 else f"{shown}…"


class _Notes:
    """Sentences on what was left out; from some number on they are counted only."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        if len(self._kept) < MAX_SENTENCES:
            self._kept.append(sentence)
        else:
            self._more += 1

    @property
    def sentences(self) -> tuple[str, ...]:
        more = (f"{self._more} more were left out.",) if self._more else ()
        return (*self._kept, *more)
