from typing import NamedTuple

import pytest

from sandbox_kernel.wire import (
    CHUNK_BYTES,
    EXCLUSIVE_BYTES,
    MAX_PARTS,
    MAX_SUPERVISION_BYTES,
    Channel,
    Decoder,
    LocalProtocolError,
    Message,
    Oversized,
    RemoteProtocolError,
)
from tests.wire.streams import CAP, MORE, NOTICE, bytewise, chunk, feed, notice, odd, opening, single, whole

C, S, P = Channel.CONTROL, Channel.SHELL, Channel.IOPUB


class Case(NamedTuple):
    data: bytes
    events: list[object]
    refused: bool = False
    unfinished: bool = False


def halves(channel: int, first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """A message of one part in two chunks."""
    start = chunk(channel, MORE, opening(len(first) + len(second)) + first)
    return start, chunk(channel, 0, second)


a1, a2 = halves(P, b"abc", b"defg")
b1, b2 = halves(S, b"12", b"3")
big = b"x" * 150_000
big_chunks = (
    chunk(P, MORE, opening(4, 150_000, 0) + b"head" + big[:60_000])
    + chunk(P, MORE, big[60_000:125_000])
    + chunk(P, 0, big[125_000:])
)

CASES = {
    "nothing": Case(b"", []),
    "one part": Case(single(S, b"hello"), [Message(S, (b"hello",))]),
    "several parts": Case(single(P, b"a", b"bb", b"ccc"), [Message(P, (b"a", b"bb", b"ccc"))]),
    "empty parts": Case(single(C, b"", b"", b""), [Message(C, (b"", b"", b""))]),
    "empty parts around": Case(single(C, b"", b"x", b""), [Message(C, (b"", b"x", b""))]),
    "two messages": Case(single(S, b"1") + single(S, b"2"), [Message(S, (b"1",)), Message(S, (b"2",))]),
    "two chunks": Case(a1 + a2, [Message(P, (b"abcdefg",))]),
    "opening alone in its chunk": Case(
        chunk(P, MORE, opening(3, 0)) + chunk(P, 0, b"abc"), [Message(P, (b"abc", b""))]
    ),
    "a chunk ends between parts": Case(
        chunk(P, MORE, opening(2, 0, 2) + b"ab") + chunk(P, 0, b"cd"), [Message(P, (b"ab", b"", b"cd"))]
    ),
    "a large message": Case(big_chunks, [Message(P, (b"head", big, b""))]),
    "channels interleave": Case(
        a1 + single(C, b"now") + b1 + a2 + b2,
        [Message(C, (b"now",)), Message(P, (b"abcdefg",)), Message(S, (b"123",))],
    ),
    "most parts": Case(single(P, *[b""] * MAX_PARTS), [Message(P, (b"",) * MAX_PARTS)]),
    "too large": Case(
        chunk(P, MORE, opening(CAP, 1) + b"x")
        + 5 * chunk(P, MORE, b"y" * 50_000)
        + chunk(P, 0, b"y" * 50_000)
        + single(P, b"next"),
        [Oversized(P, CAP + 1, 2), Message(P, (b"next",))],
    ),
    "too many parts": Case(
        single(P, *[b"x"] * (MAX_PARTS + 1)) + single(P, b"next"),
        [Oversized(P, MAX_PARTS + 1, MAX_PARTS + 1), Message(P, (b"next",))],
    ),
    "too many empty parts": Case(
        single(P, *[b""] * (MAX_PARTS + 1)) + single(P, b"next"),
        [Oversized(P, 0, MAX_PARTS + 1), Message(P, (b"next",))],
    ),
    "a notice": Case(
        notice(P, 2_000_000, 7) + single(P, b"next"), [Oversized(P, 7, 2_000_000), Message(P, (b"next",))]
    ),
    "stops in a header": Case(single(S, b"1") + b"\x03\x00", [Message(S, (b"1",))], unfinished=True),
    "stops in an opening": Case(chunk(S, 0, opening(5), 17), [], unfinished=True),
    "stops in a body": Case(single(S, b"hello")[:-1], [], unfinished=True),
    "stops between chunks": Case(a1, [], unfinished=True),
    "stops in a notice": Case(notice(P, 1, 1)[:-1], [], unfinished=True),
    "no such channel": Case(single(6, b"x"), [], refused=True),
    "unknown flags": Case(chunk(S, 4, opening(1) + b"x"), [], refused=True),
    "more and a notice": Case(chunk(S, MORE | NOTICE, opening(1) + b"x"), [], refused=True),
    "too long a chunk": Case(chunk(S, 0, b"", CHUNK_BYTES + 1), [], refused=True),
    "no opening": Case(chunk(S, 0, b"abc"), [], refused=True),
    "no parts": Case(chunk(S, 0, opening()), [], refused=True),
    "opening longer than its chunk": Case(chunk(S, 0, opening(1, count=3) + b"x"), [], refused=True),
    "two million parts": Case(chunk(S, MORE, opening(count=2_000_000)), [], refused=True),
    "body too short": Case(chunk(S, 0, opening(5) + b"abc"), [], refused=True),
    "body too long": Case(chunk(S, 0, opening(5) + b"abcdef"), [], refused=True),
    "more to come, but of what": Case(chunk(S, MORE, opening(3) + b"abc"), [], refused=True),
    "lengths beyond all bounds": Case(chunk(S, 0, opening(2**64 - 1, 2**64 - 1)), [], refused=True),
    "continuation too long": Case(a1 + chunk(P, 0, b"defgh"), [], refused=True),
    "continuation too short": Case(a1 + chunk(P, 0, b"def"), [], refused=True),
    "continuation for ever": Case(a1 + chunk(P, MORE, b"defg"), [], refused=True),
    "empty continuation": Case(a1 + chunk(P, MORE, b""), [], refused=True),
    "notice inside a message": Case(a1 + notice(P, 1, 1), [], refused=True),
    "notice too long": Case(chunk(P, NOTICE, b"x" * 13), [], refused=True),
    "two exclusive messages at once": Case(
        chunk(P, MORE, opening(EXCLUSIVE_BYTES + 1)) + chunk(S, MORE, opening(EXCLUSIVE_BYTES + 1)),
        [],
        refused=True,
    ),
    "good, then bad": Case(single(S, b"1") + single(9, b"x"), [Message(S, (b"1",))], refused=True),
}


@pytest.mark.parametrize("cut", [whole, odd, bytewise])
@pytest.mark.parametrize("name", CASES)
def test_every_case_means_the_same_however_the_bytes_are_cut(name, cut):
    """Cuts between reads carry no meaning; a fault is refused in every one of them."""
    case = CASES[name]
    decoder = Decoder(max_message=CAP)
    expected = [*case.events, "refused"] if case.refused else case.events
    got = feed(decoder, cut(case.data))
    if case.refused and cut is not bytewise:  # messages before a fault in the same read are not told
        assert got[-1] == "refused"
    else:
        assert got == expected


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_the_end_of_the_stream_is_refused_only_inside_a_message(name):
    """What is cut off is a fault; a stream that ends between messages is fine."""
    case = CASES[name]
    decoder = Decoder(max_message=CAP)
    decoder.receive(case.data)
    if case.unfinished:
        with pytest.raises(RemoteProtocolError, match="ended inside a message"):
            decoder.eof()
    else:
        decoder.eof()


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if not (case.refused or case.unfinished)]
)
def test_junk_behind_a_message_is_refused(name, cut):
    """The messages before the junk are delivered, if they came before it; the junk is not."""
    case = CASES[name]
    decoder = Decoder(max_message=CAP)
    assert feed(decoder, whole(case.data)) == case.events
    assert feed(decoder, cut(b"\xff" * 20)) == ["refused"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_a_fault_is_final(name):
    """Nothing is read after a fault, not even what would be a message."""
    decoder = Decoder(max_message=CAP)
    assert feed(decoder, whole(CASES[name].data))[-1] == "refused"
    with pytest.raises(RemoteProtocolError):
        decoder.receive(single(S, b"good"))
    with pytest.raises(RemoteProtocolError):
        decoder.eof()
    assert decoder.held == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_buffer_is_taken(kind):
    """Parts are bytes of their own, whatever they came in."""
    data = kind(single(S, b"hello") + a1 + a2)
    events = Decoder(max_message=CAP).receive(data)
    assert events == [Message(S, (b"hello",)), Message(P, (b"abcdefg",))]
    assert all(type(part) is bytes for event in events for part in event.parts)


def test_a_message_of_exactly_the_cap_passes():
    """The cap is the largest size that is allowed, in bytes and in parts."""
    assert Decoder(max_message=5, max_parts=2).receive(single(P, b"123", b"45")) == [
        Message(P, (b"123", b"45"))
    ]
    assert Decoder(max_message=4).receive(single(P, b"12345")) == [Oversized(P, 5, 1)]
    assert Decoder(max_message=5, max_parts=1).receive(single(P, b"123", b"45")) == [Oversized(P, 5, 2)]


def test_supervision_has_a_cap_of_its_own():
    """However large kernels' messages may be, those of the supervisor are small."""
    decoder = Decoder(max_message=2**40)
    start = chunk(Channel.SUPERVISOR, MORE, opening(MAX_SUPERVISION_BYTES + 1))
    assert decoder.receive(start) == [Oversized(Channel.SUPERVISOR, MAX_SUPERVISION_BYTES + 1, 1)]


def test_an_oversized_message_is_told_at_once_and_never_held():
    """A terabyte that is announced costs nothing, and neither does its arrival."""
    decoder = Decoder(max_message=CAP)
    assert decoder.receive(chunk(P, MORE, opening(2**40))) == [Oversized(P, 2**40, 1)]
    for _ in range(50):
        assert decoder.receive(chunk(P, MORE, b"x" * CHUNK_BYTES)) == []
        assert decoder.held == 0


def test_what_is_announced_is_not_reserved():
    """A message within the cap takes memory as its bytes arrive, not when it is announced."""
    import tracemalloc

    decoder = Decoder(max_message=2**30)
    tracemalloc.start()
    try:
        decoder.receive(chunk(P, MORE, opening(2**30)))
        announced = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert announced < 100_000


def test_a_long_message_is_copied_once():
    """Receiving 32 MB needs those 32 MB, the input at hand and little else."""
    import tracemalloc

    size, piece = 32_000_000, b"x" * CHUNK_BYTES
    decoder = Decoder(max_message=size)
    tracemalloc.start()
    try:
        decoder.receive(chunk(P, MORE, opening(size)))
        left = size
        while left > CHUNK_BYTES:
            decoder.receive(chunk(P, MORE, piece))
            left -= CHUNK_BYTES
        [message] = decoder.receive(chunk(P, 0, piece[:left]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(message.parts[0]) == size
    assert peak < 1.4 * size  # growing buffers reserve an eighth; trimming that must not copy


@pytest.mark.parametrize("caps", [{"max_message": 0}, {"max_message": 1, "max_parts": MAX_PARTS + 1}])
def test_caps_that_make_no_sense_are_our_own_fault(caps):
    """A cap of nothing, or of more parts than a first chunk can name, is refused."""
    with pytest.raises(LocalProtocolError):
        Decoder(**caps)


def test_its_repr_tells_its_state():
    """What a person reads at three in the morning."""
    decoder = Decoder(max_message=CAP)
    decoder.receive(a1)
    assert repr(decoder) == "<Decoder holding 3 bytes>"
    feed(decoder, whole(b"\xff" * 6))
    assert repr(decoder) == "<Decoder failed: there is no channel 255>"
