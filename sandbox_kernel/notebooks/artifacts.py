"""What a notebook's code has left in $SANDBOX_ARTIFACTS, brought out and put where it was asked for.

Names, kinds, sizes and bytes are the kernel's word. What is taken are plain files with plain names, as
many and as large as is allowed; everything else is left out, and said to be.
"""

import hashlib
import unicodedata
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from sandbox_kernel.errors import NotebookError, TransferError
from sandbox_kernel.notebooks.shelves import Shelf, shelf
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

MAX_PARTS: Final = 33
"""Parts of it: as deep as is looked into. A thousand lies do not make a million folders."""

MAX_PART: Final = 255
"""Bytes of one part of it, as file systems have it."""

MAX_SENTENCES: Final = 20
"""Sentences on what was left out that a result carries; the rest is counted."""

SECONDS: Final = 60.0
"""How long artifacts may take to be brought out: what one run may have takes half of that."""

NO_KERNEL: Final = "The artifacts were not collected: the sandbox that held them is gone."
NOT_IDLE: Final = "The artifacts were not collected: the interrupted cell did not come to its end."
CANCELLED: Final = "The artifacts were not collected, or not all of them: the run was cancelled."


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


class Harvest:
    """The artifacts of one run: `prepare` before its first cell, `bring_in` after its last."""

    def __init__(self, place: Path | None) -> None:
        """Note where they go; None: nobody wants any."""
        self.collected = Collected()
        self._shelf: Shelf | None = None if place is None else shelf(place)
        self._folder = ""
        self._stack = ExitStack()

    def __repr__(self) -> str:
        return f"<Harvest {self._shelf}>"

    @property
    def wanted(self) -> bool:
        """Whether anybody wants any."""
        return self._shelf is not None

    @property
    def prepared(self) -> bool:
        """Whether there is a folder for them inside."""
        return bool(self._folder)

    def __enter__(self) -> Self:
        """Hold the place.

        :raises NotebookError: nothing can be written there.
        """
        if self._shelf is not None:
            self._stack.enter_context(self._shelf)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    async def prepare(self, files: KernelFiles, kernel: str) -> None:
        """Have a folder for them inside, and the variable that tells of it.

        :raises NotebookError: this kernel cannot.
        """
        if self._shelf is None:
            return
        try:
            self._folder = await files.make("artifacts", VARIABLE)
        except TransferError as error:
            raise NotebookError(f"no artifacts can be collected of kernel {kernel!r}: {error}") from error

    async def bring_in(self, files: KernelFiles, *, tidy: bool) -> None:
        """Bring out what is there; the kernel must be idle.

        :param tidy: remove the folder, which else goes with its sandbox.
        """
        if self._shelf is None:
            return
        self.collected = await collect(files, self._folder, self._shelf, seconds=SECONDS)
        if tidy:
            with suppress(TransferError):  # the artifacts are there, which is what counts
                await files.remove(self._folder)

    def give_up(self, why: str) -> None:
        """Note why there is none; nothing where nobody wants any, or all is done."""
        if self._shelf is not None and self.collected == Collected():
            self.collected = Collected(left_out=(why,))


async def collect(files: KernelFiles, folder: str, place: Shelf, *, seconds: float) -> Collected:
    """Bring out what is in that folder of an idle kernel, as far as `seconds` go.

    What cannot be taken, or not be put into its place, is left out with a sentence; what was taken stays,
    whatever comes after it.
    """
    taken: list[Artifact] = []
    notes = _Notes()
    room, deadline = MAX_BYTES, monotonic() + seconds
    try:
        async for entry in _entries(files, folder, notes, deadline):
            try:
                taken.append(await _take(files, folder, entry, place, room, deadline))
                room -= taken[-1].size
            except (TransferError, OSError) as error:
                notes.add(f"{entry.name} was left out: {getattr(error, 'strerror', None) or error}")
    except TransferError as error:
        notes.add(f"The artifacts could not be listed: {error}")
    try:
        place.finish()
    except NotebookError as error:
        return Collected((), (f"The artifacts were lost: {error}", *notes.sentences))
    return Collected(tuple(taken), notes.sentences)


async def _entries(files: KernelFiles, folder: str, notes: "_Notes", deadline: float) -> AsyncIterator[Entry]:
    """Yield what may be taken until the deadline passes; note what may not."""
    known: set[str] = set()
    count = 0
    async for entry in files.names(folder, most=MAX_FILES + 1):
        count += 1
        if monotonic() > deadline:  # also for who lists, one by one, what nobody would take
            notes.add(f"The artifacts from {_quoted(entry.name)} on were left out: their time had passed.")
            return
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
    if (
        len(encoded) > MAX_NAME
        or len(parts) > MAX_PARTS
        or any(len(part.encode()) > MAX_PART for part in parts)
    ):
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
