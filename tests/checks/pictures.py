"""Pictures made by hand, so that no library is needed to make or to break one."""

import struct
import zlib


def png(
    width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 0, interlaced: int = 0
) -> bytes:
    """Return a PNG with these rows, each of them with its filter's number before it."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(part, parts))


def part(named: tuple[bytes, bytes]) -> bytes:
    """Return one part of a PNG: length, name, content, checksum."""
    name, content = named
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def drawing(width: int = 60, height: int = 60) -> bytes:
    """Return a grey picture of a slope."""
    rows = (b"\0" + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    return png(width, height, b"".join(rows))


def blank(width: int = 60, height: int = 60, filter_: int = 0) -> bytes:
    """Return a picture of one colour, as this filter writes it."""
    pixel = b"\x10\x20\x30"
    first = {0: pixel * width, 1: pixel + bytes(3 * (width - 1)), 2: pixel * width}[filter_]
    others = {0: pixel * width, 1: pixel + bytes(3 * (width - 1)), 2: bytes(3 * width)}[filter_]
    mark = bytes([filter_])
    return png(width, height, mark + first + (mark + others) * (height - 1), colour=2)
