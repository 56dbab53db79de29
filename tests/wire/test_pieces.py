"""Messages told of as they come, and the memory of long parts."""

import pytest

from sandbox_kernel.wire import Begun, Channel, Growing, Message, Outbox, Oversized, Piece, PiecewiseDecoder
from tests.wire.streams import written

S, P = Channel.SHELL, Channel.IOPUB
BIG = bytes(range(256)) * 1000


@pytest.mark.parametrize("size", [1, 997, 65_536, 1 << 20])
def test_what_does_not_arrive_whole_is_told_of_in_pieces_and_in_order(size):
    """Whatever the cuts: the same bytes, between the messages that were sent before and after it."""
    outbox = Outbox()
    messages = [(b"before",), (b"head", b"", BIG, b""), (b"after", b"x" * 3000)]
    for parts in messages:
        outbox.put(S, parts)
    decoder = PiecewiseDecoder(max_message=1 << 30)
    decoder.pass_on({S})
    data, told = written(outbox), []
    for start in range(0, len(data), size):
        for event in decoder.receive_pieces(data[start : start + size]):
            if isinstance(event, Message):
                told.append((tuple(map(len, event.parts)), b"".join(event.parts)))
            elif isinstance(event, Begun):
                told.append((event.lengths, b""))
            else:
                told[-1] = told[-1][0], told[-1][1] + bytes(event.data)
            assert event.channel is S
    assert told == [(tuple(map(len, parts)), b"".join(parts)) for parts in messages]
    assert decoder.held == 0


def test_other_channels_are_told_of_whole():
    """Only what was asked for comes in pieces, and from the next message on."""
    outbox = Outbox()
    outbox.put(P, (BIG,))
    outbox.put(S, (BIG,))
    decoder, data = PiecewiseDecoder(max_message=1 << 30), written(outbox)
    half = len(data) // 4  # in the middle of what is more urgent
    events = decoder.receive_pieces(data[:half])
    decoder.pass_on({S})
    assert [*events, *decoder.receive_pieces(data[half:])] == [Message(S, (BIG,)), Message(P, (BIG,))]


def test_what_is_too_long_is_not_passed_on():
    """The cap is for all that arrives."""
    outbox = Outbox()
    outbox.put(S, (BIG,))
    decoder = PiecewiseDecoder(max_message=1000)
    decoder.pass_on({S})
    assert decoder.receive_pieces(written(outbox)) == [Oversized(S, len(BIG), 1)]


def test_a_piece_is_a_view():
    """Nothing is copied on the way."""
    outbox = Outbox()
    outbox.put(S, (BIG,))
    decoder, data = PiecewiseDecoder(max_message=1 << 30), bytearray(written(outbox))
    decoder.pass_on({S})
    begun, first, *_ = decoder.receive_pieces(data)
    assert isinstance(begun, Begun)
    assert isinstance(first, Piece)
    before = first.data[0]
    data[:] = bytes(each ^ 255 for each in data)
    assert first.data[0] == before ^ 255


@pytest.mark.parametrize("length", [1, 1000, 5_000_000])
def test_a_part_grows_to_what_was_fed(length):
    """Short or long, it is the bytes that came, and cannot be changed afterwards."""
    data = (BIG * 20)[:length]
    growing = Growing(length)
    for start in range(0, length, 65_536):
        assert growing.missing == length - start
        growing.add(memoryview(data)[start : start + 65_536])
    part = growing.finish()
    assert part == data
    assert memoryview(part).readonly


def test_memory_that_is_not_to_be_had_at_once_is_taken_as_it_comes():
    """Where a mapping of that size is refused, the part is collected all the same."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 33, hard))
    try:
        growing = Growing(1 << 40)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    growing.add(memoryview(b"abc"))
    assert growing.held == 3
