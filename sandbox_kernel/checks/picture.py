"""Whether bytes are a picture: a PNG that is whole, of a plausible size, and not of one colour.

No picture of a stranger's is decoded by a library here. What is looked at is what the format promises:
its signature, its parts and their checksums, and that its data are as long as its size says. So text
with the type `image/png`, a signature and noise, or a picture of a million times a million is none.
"""

import struct
import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_UNPACKED = 64 << 20
"""Bytes of pixels of a picture that is looked at: five times those of a figure at 300 dots per inch."""
MAX_HEIGHT = 10_000
"""Rows of one. Each is looked at by itself: thirty million of a single pixel would take half a minute."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WANTED = 1 << 16
"""Bytes that are unpacked at a time."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a PNG says of itself and keeps."""

    width: int
    height: int
    is_blank: bool
    """Whether all its pixels are alike."""


def read_png(content: bytes) -> Picture | str:
    """Return the picture, or why it is none: "it …"."""
    if not content.startswith(SIGNATURE):
        return "it is not a PNG"
    parts = _parts(content)
    if not parts or parts[0][0] != b"IHDR" or parts[-1][0] != b"IEND" or len(parts[0][1]) != 13:
        return "it is a PNG that is broken or cut off"
    width, height, bits, colour, packing, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    known = colour in _CHANNELS and bits in (1, 2, 4, 8, 16) and not packing
    pixel = max(1, bits * _CHANNELS.get(colour, 1) // 8)
    row = 1 + (width * bits * _CHANNELS.get(colour, 1) + 7) // 8
    if not known or not width or not 0 < height <= MAX_HEIGHT or row * height > MAX_UNPACKED:
        return "it is a PNG of an impossible size or kind"
    data = b"".join(part for name, part in parts if name == b"IDAT")
    looked = _look(data, row, pixel, row * height)
    if looked is None or (looked[0] != row * height and not interlaced):
        return "it is a PNG whose pixels are missing"
    return Picture(width, height, looked[1])


def _parts(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the PNG's parts, up to its end or the first that is broken, exclusively."""
    found, at = [], len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        name, part = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        check = content[at + 8 + length : at + 12 + length]
        if len(check) < 4 or zlib.crc32(name + part) != struct.unpack(">I", check)[0]:
            break
        found.append((name, part))
        if name == b"IEND":
            break
        at += 12 + length
    return found


def _look(data: bytes, row: int, pixel: int, most: int) -> tuple[int, bool] | None:
    """Return how long the unpacked data are, and whether they are of one colour. None: they are none.

    No more than `most` bytes, and some, are unpacked, and no more than a row of them is kept. In a picture
    of one colour, whatever its filters, every row goes on as its second pixel does, and rows are of three
    kinds at most: the first, the second, and those that are filtered otherwise.
    """
    unpacker, length, rest, rows, plain = zlib.decompressobj(), 0, b"", set[bytes](), True
    try:
        while not unpacker.eof and length <= most:
            piece = unpacker.decompress(data, _WANTED)
            data = unpacker.unconsumed_tail
            if not piece and not data:
                break
            length += len(piece)
            if plain:
                rest += piece
                while len(rest) >= row and plain:
                    one, rest = rest[:row], rest[row:]
                    rows.add(one)
                    plain = len(rows) <= 3 and one[1 + pixel : -pixel] == one[1 + 2 * pixel :]
    except zlib.error:
        return None
    return length, plain
