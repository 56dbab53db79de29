"""Bytes written by hand, independently of `Outbox`, and ways to feed them."""

import struct
from collections.abc import Iterable, Iterator

from sandbox_kernel.wire import Decoder, Event, Message, Outbox, Oversized, RemoteProtocolError

MORE, NOTICE = 1, 2
CAP = 300_000


def chunk(channel: int, flags: int, payload: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BBI", channel, flags, len(payload) if length is None else length) + payload


def opening(*lengths: int, count: int | None = None) -> bytes:
    count = len(lengths) if count is None else count
    return struct.pack(f"<I{len(lengths)}Q", count, *lengths)


def single(channel: int, *parts: bytes) -> bytes:
    return chunk(channel, 0, opening(*map(len, parts)) + b"".join(parts))


def notice(channel: int, count: int, size: int) -> bytes:
    return chunk(channel, NOTICE, struct.pack("<IQ", count, size))


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def bytewise(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        yield data[index : index + 1]


def odd(data: bytes) -> Iterator[bytes]:
    for index in range(0, len(data), 40_009):
        yield data[index : index + 40_009]


def feed(decoder: Decoder, pieces: Iterable[bytes]) -> list[Message | Oversized | str]:
    """Return the events, and last the word "refused" if the peer's fault was noticed."""
    events: list[Event | str] = []
    for piece in pieces:
        try:
            events += decoder.receive(piece)
        except RemoteProtocolError:
            return [*events, "refused"]
    return events


def written(outbox: Outbox, limit: int = 1 << 20) -> bytes:
    """Return all that an outbox has to write."""
    data = bytearray()
    while outbox:
        piece = b"".join(outbox.buffers(limit))
        outbox.advance(len(piece))
        data += piece
    return bytes(data)
