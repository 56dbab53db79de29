"""Values and files on their way through an idle kernel's channels, in pieces, up to a limit."""

import keyword
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import Any, Final

from sandbox_kernel.errors import TransferError
from sandbox_kernel.notebooks.transfer import PIECE, SENT, Ask, FarSide, KernelFiles
from sandbox_kernel.policy import MiB, format_size
from sandbox_kernel.session import values

LIMIT: Final = 64 * MiB
"""Bytes of one value or file, unless its caller allows more: it is held in memory several times, on both
sides, while it crosses."""

FIRST_SECONDS: Final = 30.0
PIECE_SECONDS: Final = 1.0
"""How long a crossing may take, and how much longer for each piece, which takes milliseconds: with ten
seconds for an answer, a kernel could drag a single file of LIMIT out for an hour."""

_HERE: Final = Path(__file__).parent
_SCRIPT: Final = b"\n".join((_HERE / name).read_bytes() for name in ("values.py", "inside.py"))


class Crossing:
    """What goes into one kernel and comes out of it."""

    def __init__(self, ask: Ask) -> None:
        paced = _paced(ask)
        self._far = FarSide(paced, _SCRIPT)
        self._files = KernelFiles(paced)

    async def put_value(self, name: str, kind: str, data: bytes) -> None:
        """Make a variable of an encoded value.

        :raises TransferError: it did not become one.
        """
        waiting, view = token_hex(8), memoryview(data)
        for offset in range(0, max(1, len(view)), SENT):
            piece, last = bytes(view[offset : offset + SENT]), offset + SENT >= len(view)
            said, _ = await self._far.do("put", piece, name=name, kind=kind, waiting=waiting, last=last)
            if "unsendable" in said:
                raise TransferError(
                    f"What was to become {name} does not cross: it {_shown(said['unsendable'])}."
                )

    async def get_value(self, expression: str, limit: int) -> tuple[str, bytearray]:
        """Return the form of an expression's value, and its bytes: both as the kernel says.

        :raises TransferError: it does not cross, or has more than `limit` bytes.
        """
        waiting, data = token_hex(8), bytearray()
        said, piece = await self._far.do(
            "get", expression=expression, waiting=waiting, size=PIECE, limit=limit
        )
        if "unsendable" in said:
            raise TransferError(f"{_shown(expression)} does not cross: it {_shown(said['unsendable'])}.")
        size, kind = said.get("size"), said.get("kind")
        if type(size) is not int or kind not in values.KINDS:
            raise TransferError("The kernel answered nonsense about a value.")
        if size > limit:
            raise TransferError(f"{_shown(expression)} has more than {format_size(limit)}.")
        while True:
            if len(piece) != min(PIECE, size - len(data)):  # or it could drip for a year, byte by byte
                raise TransferError("The kernel said that a value has another size than it has.")
            data += piece
            if len(data) == size:
                return kind, data
            _, piece = await self._far.do("more", waiting=waiting, offset=len(data), size=PIECE)

    async def put_file(self, path: str, data: bytes) -> None:
        """Make a file. :raises TransferError: it cannot be written."""
        await self._files.write(path, data)

    async def get_file(self, path: str, limit: int) -> bytes:
        """Return what a file has. :raises TransferError: it cannot be read, or is over the limit."""
        data = bytearray()
        async for piece in self._files.read(path, limit=limit):
            data += piece
        return bytes(data)


def _paced(ask: Ask) -> Ask:
    """Return how to ask a kernel that has to keep pace, from now on."""
    until = monotonic() + FIRST_SECONDS

    async def asked(content: dict[str, Any], buffers: Sequence[bytes]) -> dict[str, Any]:
        nonlocal until
        reply = await ask(content, buffers)
        until += PIECE_SECONDS
        if monotonic() > until:
            raise TransferError(f"The kernel takes more than {PIECE_SECONDS:g} s for each piece.")
        return reply

    return asked


def encoded(name: str, value: Any, limit: int) -> tuple[str, bytes]:
    """Return the form and the bytes of a value that is to become the variable `name`.

    :raises TransferError: it does not cross, or the name is none.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise TransferError(f"{name!r:.80} is not the name of a variable.")
    try:
        return values.encode(value, limit)
    except values.Unsendable as error:
        raise TransferError(f"What was to become {name} does not cross: it {error}.") from None


def content_of(source: "bytes | bytearray | memoryview | os.PathLike[str]", limit: int) -> bytes:
    """Return the bytes of a file to be: the file's of a path, else those that are given.

    :raises TransferError: it is neither, cannot be read, or has more than `limit` bytes.
    """
    if isinstance(source, os.PathLike):
        try:
            with Path(source).open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise TransferError(f"{os.fspath(source)} cannot be read: {error.strerror}.") from None
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        raise TransferError(
            f"A file's content is bytes, or a pathlib.Path to read them from, and no {type(source).__name__}."
        )
    if len(data) > limit:
        raise TransferError(f"The file has more than {format_size(limit)}; limit=… lets more cross.")
    return data


def write_to(path: "os.PathLike[str]", data: bytes) -> None:
    """Write a file out here, whole or not at all.

    :raises TransferError: it cannot be written.
    """
    where = Path(path)
    try:
        with NamedTemporaryFile(dir=where.parent, prefix=f".{where.name}-", delete=False) as file:
            part = Path(file.name)
            _written(part, where, lambda: file.write(data))
    except OSError as error:
        raise TransferError(f"{where} cannot be written: {error.strerror}.") from None


def _written(part: Path, where: Path, write: Callable[[], object]) -> None:
    try:
        write()
        part.replace(where)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _shown(text: object) -> str:
    """Return a text, perhaps the kernel's, as our sentences may hold it: printable, and not long."""
    words = str(text)[:300]
    return "".join(letter if letter.isprintable() else "?" for letter in words)
