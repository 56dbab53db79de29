"""ZMTP as libzmq speaks it, in any cuts, and what is none."""

import struct

import pytest

from sandbox_kernel.guest.zmtp import NoMessageError, Reader, frames, head, opening

READY = opening(b"ROUTER", b"kernel")
BIG = bytes(range(256)) * 1000
HUGE = bytes(range(256)) * 20_000


def message(*parts):
    return b"".join(frames(parts))


def read(reader, data, size):
    messages = []
    for start in range(0, len(data), size):
        messages += reader.receive(memoryview(data)[start : start + size])
    return [[bytes(part) for part in each] for each in messages]


@pytest.mark.parametrize("size", [1, 7, 1 << 30])
def test_messages_mean_the_same_however_the_bytes_are_cut(size):
    """Short and long frames, empty ones and commands in between, whole and byte by byte."""
    command = b"\x04\x05\x04PING"
    data = READY + message(b"") + message(b"a", b"", b"x" * 255, b"y" * 256) + command + message(b"z")
    reader = Reader()
    assert read(reader, data, size) == [[b""], [b"a", b"", b"x" * 255, b"y" * 256], [b"z"]]
    assert reader.ready


@pytest.mark.parametrize("size", [997, 65_536, 1 << 30])
def test_large_frames_arrive_as_they_are(size):
    """Frames longer than any read, of both kinds of memory, with small ones before and behind."""
    data = READY + message(b"head", BIG, HUGE, b"tail") + message(BIG)
    assert read(Reader(), data, size) == [[b"head", BIG, HUGE, b"tail"], [BIG]]


NONE = {
    "another protocol": b"HTTP/1.1 200 OK\r\n" * 10,
    "an old version": READY[:10] + b"\x01" + READY[11:],
    "another mechanism": READY[:12] + b"CURVE".ljust(20, b"\0") + READY[32:],
    "a message in place of READY": READY[:64] + message(b"hello"),
    "a long message in place of READY": READY[:64] + head(1 << 20, more=False) + bytes(100),
    "an error": READY[:64] + b"\x04\x07\x05ERROR\x00",
    "an endless frame": READY + struct.pack(">BQ", 2, 1 << 63) + b"x",
    "an endless command": READY + struct.pack(">BQ", 6, 1 << 20) + b"x",
}


@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize("size", [1, 1 << 30])
def test_what_is_no_message_is_refused(name, size):
    """Whoever listens in the kernel's place is not believed, and makes nobody reserve memory."""
    with pytest.raises(NoMessageError):
        read(Reader(), NONE[name], size)
