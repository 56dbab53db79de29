"""Figures of an executed notebook that a page may show: PNG files, looked at from outside only.

They come from a sandbox. Nothing here decodes one; a browser will. So what is passed on is a PNG by its
structure (every part has its length and checksum, of the kinds that a still picture has), with a
bounded number of pixels: a hundred bytes may claim to be a picture of gigabytes.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nbformat import NotebookNode

MAX_FIGURE: Final = 384 << 10
"""Bytes of one: an ordinary plot has some 30 KiB, a photograph may have this."""
MAX_OF_NOTEBOOK: Final = 4
MAX_SIDE: Final = 8192
MAX_PIXELS: Final = 16 << 20
"""What a browser holds in 64 MiB while it is shown."""
MAX_OF_PAGE: Final = 24 << 20
"""Bytes of all figures of a batch: a browser opens a page of that size in a second."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PARTS: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB tEXt zTXt iTXt bKGD hIST pHYs sPLT tIME eXIf".split()
)
"""Parts of a still picture, as the PNG specification has them; those of an animation are not among them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture in PNG format."""

    png: bytes
    width: int
    height: int

    def __repr__(self) -> str:
        return f"<Figure {self.width} by {self.height}, {len(self.png)} bytes>"


class Album:
    """Collects the figures of a batch, as long as its page has room for them."""

    def __init__(self, room: int = MAX_OF_PAGE) -> None:
        self._room = room

    def take(self, nb: NotebookNode) -> tuple[tuple[Figure, ...], int]:
        """Return some of the notebook's figures, and how many there are beside them."""
        chosen: list[Figure] = []
        left_out = 0
        for encoded in _encoded(nb):
            figure = read_figure(encoded) if len(chosen) < MAX_OF_NOTEBOOK else None
            if figure is None or len(figure.png) > self._room:
                left_out += 1
                continue
            self._room -= len(figure.png)
            chosen.append(figure)
        return tuple(chosen), left_out


def _encoded(nb: NotebookNode) -> Iterator[object]:
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data")
            if isinstance(data, dict) and "image/png" in data:
                yield data["image/png"]


def read_figure(encoded: object) -> Figure | None:
    """Return the figure that an output holds; None: it is no PNG, or too large to be shown."""
    if not isinstance(encoded, str) or len(encoded) > MAX_FIGURE * 3 // 2:
        return None
    try:
        png = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    size = _size(png) if len(png) <= MAX_FIGURE else None
    return Figure(png, *size) if size else None


def _size(png: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG; None: it is none that a page may show."""
    parts = list(_parts(png))
    if not parts or parts[0][0] != b"IHDR" or parts[-1][0] != b"IEND" or len(parts[0][1]) != 13:
        return None
    if not {kind for kind, _ in parts} <= _PARTS or [kind for kind, _ in parts].count(b"IHDR") != 1:
        return None
    width, height = struct.unpack(">II", parts[0][1][:8])
    fits = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS
    return (width, height) if fits else None


def _parts(png: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Yield the kind and content of each part; nothing at all where one is not whole."""
    if not png.startswith(_SIGNATURE):
        return []
    found, at = [], len(_SIGNATURE)
    while at < len(png):
        if at + 12 > len(png):
            return []
        length, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        end = at + 8 + length
        if png[end : end + 4] != struct.pack(">I", zlib.crc32(kind + content)):
            return []
        found.append((kind, content))
        at = end + 4
    return found
