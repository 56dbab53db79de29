"""The invariant of the fuzzing: garbage is either taken apart or raises RemoteProtocolError, nothing else."""

import random

import pytest

from sandbox_kernel.host.engines.docker.stream import MAX_PIECE, Demultiplexer
from sandbox_kernel.wire import RemoteProtocolError


def piece(stream, content):
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def feed(data, size, demultiplexer=None):
    """Return what comes out when the data arrives in pieces of this size."""
    demultiplexer = demultiplexer or Demultiplexer()
    out = errors = b""
    for start in range(0, len(data), size):
        buffer = bytearray(data[start : start + size])
        count, complaints = demultiplexer.feed(memoryview(buffer))
        out += buffer[:count]
        errors += complaints
    return out, errors


STREAMS = {
    "nothing": ([], b"", b""),
    "one": ([(1, b"hello")], b"hello", b""),
    "both": ([(1, b"out"), (2, b"err"), (1, b"put"), (2, b"or")], b"output", b"error"),
    "an empty piece": ([(1, b""), (2, b""), (1, b"x")], b"x", b""),
    "headers inside": ([(1, b"\x02\0\0\0\0\0\0\x01" * 3)], b"\x02\0\0\0\0\0\0\x01" * 3, b""),
    "long": ([(1, bytes(range(256)) * 300), (2, b"!"), (1, b"end")], bytes(range(256)) * 300 + b"end", b"!"),
}


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 64, 1 << 20])
@pytest.mark.parametrize(("pieces", "out", "errors"), STREAMS.values(), ids=STREAMS)
def test_both_streams_come_apart(pieces, out, errors, size):
    """However the bytes arrive, each stream is whole, and the end is clean."""
    demultiplexer = Demultiplexer()
    data = b"".join(piece(*each) for each in pieces)
    assert feed(data, size, demultiplexer) == (out, errors)
    assert demultiplexer.between


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    "header",
    [
        b"\x00\0\0\0\0\0\0\x01",
        b"\x03\0\0\0\0\0\0\x01",
        b"\xff\0\0\0\0\0\0\x01",
        b"\x01\x01\0\0\0\0\0\x01",
        b"\x01\0\0\x01\0\0\0\x01",
        b"\x01\0\0\0" + (MAX_PIECE + 1).to_bytes(4, "big"),
        b"HTTP/1.1",
    ],
)
def test_what_is_no_header_is_refused(header, size):
    """Also behind good pieces; what came before is not lost by the refusal of what follows."""
    demultiplexer = Demultiplexer()
    assert feed(piece(1, b"good"), size, demultiplexer) == (b"good", b"")
    with pytest.raises(RemoteProtocolError, match=r"where a header must be"):
        feed(header, size, demultiplexer)


@pytest.mark.parametrize("cut", range(1, 13))
def test_an_end_in_the_middle_is_seen(cut):
    """A stream that stops in a header or a piece says so."""
    demultiplexer = Demultiplexer()
    feed(piece(1, b"hello")[:cut], 1, demultiplexer)
    assert not demultiplexer.between


def test_random_cuts():
    """A thousand random streams, cut at random, come apart as they were put together."""
    dice = random.Random(3)
    for _ in range(1000):
        pieces = [(dice.choice((1, 2)), dice.randbytes(dice.choice((0, 1, 8, 9, 500)))) for _ in range(8)]
        data = b"".join(piece(*each) for each in pieces)
        expected = tuple(b"".join(text for stream, text in pieces if stream == wanted) for wanted in (1, 2))
        assert feed(data, dice.randint(1, 600)) == expected


def test_garbage():
    """Random bytes never bring anything else about."""
    dice = random.Random(4)
    for _ in range(3000):
        data = dice.randbytes(dice.randint(1, 60))
        if dice.random() < 0.5:
            data = bytes([dice.choice((1, 2)), 0, 0, 0]) + data
        try:
            out, errors = feed(data, dice.randint(1, 60))
        except RemoteProtocolError:
            continue
        assert len(out) + len(errors) <= len(data)
