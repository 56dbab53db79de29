"""Whatever arrives: it parses, or RemoteProtocolError is raised; nothing else, and nothing is hoarded."""

import contextlib
import json
import random

import pytest

from sandbox_kernel.wire import (
    CHUNK_BYTES,
    EXCLUSIVE_BYTES,
    Channel,
    Decoder,
    Hello,
    KernelExit,
    Log,
    Message,
    Outbox,
    Oversized,
    Ready,
    RemoteProtocolError,
    Signal,
    Start,
    decode,
    encode,
)
from tests.wire.streams import MORE, chunk, notice, opening, single, written

CAP = 600_000
MOST_HELD = CAP + (len(Channel) - 1) * EXCLUSIVE_BYTES + CHUNK_BYTES
ROUNDS = [range(start, start + 50) for start in range(0, 150, 50)]
"""Seeds, many to a test: each takes a fraction of what pytest takes for one."""


def valid_stream(chance: random.Random) -> bytes:
    outbox = Outbox()
    for _ in range(chance.randint(1, 6)):
        sizes = [chance.choice([0, 1, 50, 5_000, 70_000, 300_000]) for _ in range(chance.randint(1, 5))]
        outbox.put(Channel(chance.randint(0, 5)), [bytes(size) for size in sizes])
    return written(outbox)


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(changed))
        match chance.randint(0, 3):
            case 0:
                changed[place] = chance.randrange(256)
            case 1:
                del changed[place : place + chance.randint(1, 20)]
            case 2:
                changed[place:place] = chance.randbytes(chance.randint(1, 20))
            case 3:
                changed[place:] = changed[place:] * 2
        if not changed:
            break
    return bytes(changed)


def made_of_chunks(chance: random.Random) -> bytes:
    """Chunks that are each well made, in an order that makes sense by chance."""
    data = b""
    for _ in range(chance.randint(1, 12)):
        channel, size = chance.randint(0, 6), chance.choice([0, 5, 60_000])
        kind = chance.randint(0, 3)
        if kind == 0:
            data += single(channel, bytes(size))
        elif kind == 1:
            data += chunk(channel, MORE, opening(chance.choice([6, 70_000, CAP, 2**40]), 0) + b"abc")
        elif kind == 2:
            data += chunk(channel, chance.choice([0, MORE]), bytes(size))
        else:
            data += notice(channel, 5, 10)
    return data


def run_through(data: bytes, chance: random.Random) -> bool:
    """Feed the data in random cuts and check the invariant; return whether it was all accepted."""
    decoder = Decoder(max_message=CAP)
    position = 0
    try:
        while position < len(data):
            size = chance.choice([1, 7, 4096, 65_536, 262_144])
            for event in decoder.receive(data[position : position + size]):
                assert isinstance(event, Message | Oversized)
                assert isinstance(event, Oversized) or sum(map(len, event.parts)) <= CAP
            assert decoder.held <= MOST_HELD
            position += size
        decoder.eof()
    except RemoteProtocolError:
        return False
    return True


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_valid_streams_pass_in_any_cuts(seeds):
    """What an outbox wrote is never refused."""
    for seed in seeds:
        chance = random.Random(seed)
        assert run_through(valid_stream(chance), chance)


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_mutated_streams_parse_or_are_refused(seeds):
    """Flipped, lost, added and repeated bytes lead to no other failure."""
    for seed in seeds:
        chance = random.Random(seed)
        run_through(mutated(valid_stream(chance), chance), chance)


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_random_bytes_parse_or_are_refused(seeds):
    """Noise leads to no other failure."""
    for seed in seeds:
        chance = random.Random(seed)
        run_through(chance.randbytes(chance.randint(1, 5000)), chance)


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_random_chunks_parse_or_are_refused(seeds):
    """Chunks that are right in themselves, but not together, lead to no other failure."""
    for seed in seeds:
        chance = random.Random(seed)
        run_through(made_of_chunks(chance), chance)


def test_the_most_that_a_peer_can_make_us_hold():
    """One message of the cap and one short of exclusive per other channel, all unfinished: no more."""
    decoder = Decoder(max_message=CAP)
    sizes = dict.fromkeys(Channel, EXCLUSIVE_BYTES) | {Channel.IOPUB: CAP}
    for channel, size in sizes.items():
        decoder.receive(chunk(channel, MORE, opening(size)))
        left = size
        while left > CHUNK_BYTES:
            decoder.receive(chunk(channel, MORE, bytes(CHUNK_BYTES)))
            left -= CHUNK_BYTES
    assert MOST_HELD - 7 * CHUNK_BYTES < decoder.held <= MOST_HELD


MESSAGES = [
    Start(1, ("python", "-f", "{connection_file}"), {"A": "b"}, "/home", "/run/k", "key", 1024, None),
    Signal(2),
    Hello(1, "0.1.0", "3.11.7", {"files": 1024, "memory": "max"}),
    Ready(),
    Log("text"),
    KernelExit(-9, 10_000, 1.5),
]
JUNK = [None, True, -1, 2**70, 1e308, "", "x\0", "\ud800", "x" * 200_000, [], [[]], {}, {"a": {}}, [1] * 5000]


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_odd_supervision_is_decoded_or_refused(seeds):
    """Fields of a wrong type, missing, new, or of the wrong message lead to no other failure."""
    for seed in seeds:
        chance = random.Random(seed)
        for message in MESSAGES:
            content = json.loads(encode(message)[0])
            for _ in range(chance.randint(1, 3)):
                name = chance.choice([*content, "new"])
                content[name] = chance.choice(JUNK)
            if chance.random() < 0.2:
                content.pop(chance.choice([*content]))
            with contextlib.suppress(RemoteProtocolError):
                decode((json.dumps(content).encode(),))


@pytest.mark.parametrize("seeds", ROUNDS, ids=str)
def test_broken_supervision_is_decoded_or_refused(seeds):
    """Bytes that are changed at random lead to no other failure."""
    for seed in seeds:
        chance = random.Random(seed)
        for message in MESSAGES:
            with contextlib.suppress(RemoteProtocolError):
                decode((mutated(encode(message)[0], chance),))
