import random

import pytest

from sandbox_kernel.wire import (
    CHUNK_BYTES,
    EXCLUSIVE_BYTES,
    MAX_BUFFERS,
    MAX_PARTS,
    Channel,
    Decoder,
    LocalProtocolError,
    Message,
    Outbox,
    Oversized,
)
from tests.wire.streams import single, written

HEADER = 6
C, H, S, P = Channel.CONTROL, Channel.HEARTBEAT, Channel.SHELL, Channel.IOPUB


def received(data, cap=1 << 30):
    decoder = Decoder(max_message=cap)
    events = decoder.receive(data)
    decoder.eof()
    return events


def test_a_small_message_is_written_as_the_format_says():
    """The bytes are those that the decoder's tests write by hand."""
    outbox = Outbox()
    outbox.put(S, [b"id", b"", b"body"])
    assert written(outbox) == single(S, b"id", b"", b"body")


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 12, CHUNK_BYTES - 11, CHUNK_BYTES, 10 * CHUNK_BYTES + 1]
)
def test_messages_of_every_size_arrive(size):
    """Around the length of a chunk and beyond it, parts come out as they went in."""
    parts = (b"x" * size,)
    outbox = Outbox()
    outbox.put(P, parts)
    assert received(written(outbox)) == [Message(P, parts)]


def test_thousands_of_small_buffers_arrive():
    """A widget's message with the most parts that are allowed needs no more than one writev."""
    parts = tuple(bytes([index % 256]) * 100 for index in range(MAX_PARTS))
    outbox = Outbox()
    outbox.put(P, parts)
    assert len(outbox.buffers(1 << 20)) <= MAX_BUFFERS
    assert received(written(outbox)) == [Message(P, parts)]


def test_views_are_sent_as_they_are():
    """A part may be a view of somebody else's memory."""
    outbox = Outbox()
    outbox.put(P, [memoryview(b"x" * 200_000), memoryview(b"abc")[1:]])
    assert received(written(outbox)) == [Message(P, (b"x" * 200_000, b"bc"))]


def test_the_most_urgent_goes_first():
    """Whatever the order of putting, channels are served by urgency."""
    outbox = Outbox()
    for channel in reversed(Channel):
        outbox.put(channel, [b"x"])
    assert [event.channel for event in received(written(outbox))] == list(Channel)


def test_control_overtakes_a_flood_after_one_chunk():
    """A control reply waits for at most the chunk that is under way."""
    outbox = Outbox()
    outbox.put(P, [b"x" * 10_000_000])
    for _ in range(1000):
        outbox.put(P, [b"y" * 1000])
    outbox.buffers(1 << 20)  # a whole megabyte is planned,
    outbox.advance(100)  # little of it is written,
    outbox.put(C, [b"reply"])  # and now it becomes urgent
    rest = b"".join(outbox.buffers(1 << 20))
    chunk_end = HEADER + CHUNK_BYTES - 100
    assert rest[chunk_end:].startswith(single(C, b"reply"))


def completed(outbox, begun=b""):
    """The channels in the order in which their messages are complete."""
    return [event.channel for event in received(begun + written(outbox))]


def begin(outbox):
    """Write the first chunk."""
    data = b"".join(outbox.buffers(1))
    outbox.advance(len(data))
    return data


def test_a_long_reply_overtakes_a_longer_output():
    """Up to `EXCLUSIVE_BYTES` a message of several chunks goes between those of another."""
    outbox = Outbox()
    outbox.put(P, [b"x" * 1_000_000])
    begun = begin(outbox)
    outbox.put(S, [b"y" * EXCLUSIVE_BYTES])
    assert completed(outbox, begun) == [S, P]


def test_only_one_exclusive_message_is_under_way():
    """A second one waits, small ones of any channel overtake both, and then the urgent goes first."""
    outbox = Outbox()
    outbox.put(P, [b"x" * 1_000_000])
    begun = begin(outbox)
    outbox.put(P, [b"y" * 1_000_000])
    outbox.put(S, [b"z" * (EXCLUSIVE_BYTES + 1)])
    outbox.put(H, [b"beat"])
    assert completed(outbox, begun) == [H, P, S, P]


def test_what_waited_for_a_long_message_goes_before_what_follows_it():
    """The end of an exclusive message is where the next choice is made, even within one write."""
    outbox = Outbox()
    outbox.put(P, [b"x" * 1_000_000])
    begun = begin(outbox)
    outbox.put(P, [b"small, behind it"])
    outbox.put(S, [b"z" * (EXCLUSIVE_BYTES + 1)])
    assert completed(outbox, begun) == [P, S, P]


def test_one_channel_keeps_its_order():
    """Long and short messages of one channel arrive in the order in which they were put."""
    outbox = Outbox()
    sizes = [10, 500_000, 20, 70_000, 0, 300_000]
    for size in sizes:
        outbox.put(P, [b"x" * size])
    assert [len(event.parts[0]) for event in received(written(outbox))] == sizes


def test_writes_of_any_length_and_puts_in_between_lose_nothing():
    """Whatever the stream takes at a time, every channel arrives whole and in order."""
    chance = random.Random(1)
    outbox, decoder = Outbox(), Decoder(max_message=1 << 30)
    put = {channel: [] for channel in Channel}
    got = {channel: [] for channel in Channel}
    for _ in range(400):
        channel = chance.choice([C, S, P])
        parts = tuple(
            chance.randbytes(chance.choice([0, 3, 900, 70_000, 300_000])) for _ in range(chance.randint(1, 4))
        )
        put[channel].append(parts)
        outbox.put(channel, parts)
        for _ in range(chance.randint(0, 3)):
            data = b"".join(outbox.buffers(chance.choice([1, 1000, 200_000])))
            data = data[: chance.randint(0, len(data))]
            outbox.advance(len(data))
            for event in decoder.receive(data):
                got[event.channel].append(event.parts)
    for event in decoder.receive(written(outbox)):
        got[event.channel].append(event.parts)
    decoder.eof()
    assert got == put


def test_pending_counts_what_waits_and_ends_at_nothing():
    """The count is what limits a relay's memory, so it must neither drift nor forget."""
    outbox = Outbox()
    assert not outbox
    outbox.put(P, [b"x" * 1_000_000])
    outbox.put(C, [b"y" * 10])
    assert outbox.pending(C) == len(single(C, b"y" * 10))
    assert 1_000_000 <= outbox.pending(P) < 1_000_100
    assert outbox.pending() == outbox.pending(C) + outbox.pending(P)
    before = outbox.pending()
    outbox.buffers(1 << 20)
    outbox.advance(50_000)
    assert outbox.pending() < before - 49_000
    written(outbox)
    assert not outbox
    assert [outbox.pending(channel) for channel in (None, *Channel)] == [0] * 7


def test_long_parts_are_not_copied():
    """What is to be written are views of the parts themselves."""
    import tracemalloc

    part = b"x" * 20_000_000
    outbox = Outbox()
    tracemalloc.start()
    try:
        outbox.put(P, [part])
        while outbox:
            outbox.advance(sum(map(len, outbox.buffers(1 << 18))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_a_notice_stands_for_what_cannot_be_sent():
    """A message with too many parts arrives as word of it."""
    parts = [b"x"] * (MAX_PARTS + 1)
    outbox = Outbox()
    with pytest.raises(LocalProtocolError, match="1 to 4096 parts, not 4097"):
        outbox.put(P, parts)
    outbox.put_notice(P, parts)
    outbox.put(P, [b"next"])
    assert received(written(outbox)) == [Oversized(P, MAX_PARTS + 1, MAX_PARTS + 1), Message(P, (b"next",))]


def test_misuse_is_our_own_fault():
    """No parts at all, or more written than there was, is a bug on our side."""
    outbox = Outbox()
    with pytest.raises(LocalProtocolError):
        outbox.put(P, [])
    outbox.put(P, [b"x"])
    outbox.buffers(100)
    with pytest.raises(LocalProtocolError):
        outbox.advance(1000)


def test_its_repr_tells_what_waits():
    """What a person reads at three in the morning."""
    outbox = Outbox()
    outbox.put(C, [b"x"])
    assert repr(outbox) == "<Outbox 19 bytes waiting {'CONTROL': 19}>"
