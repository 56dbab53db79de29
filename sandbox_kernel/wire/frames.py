"""How messages look on the stream, and how much of each thing is allowed.

A message is a channel and a list of parts, as ZeroMQ knows it. It crosses as one or more
chunks, each with a small header:

    channel (1 byte) · flags (1 byte) · length of what follows (4 bytes) · …

The first chunk of a message starts with the message's opening: the number of parts and the
length of each. So a receiver knows what a message will cost before it holds any of it. All
numbers are little-endian.

Three rules keep a reply from waiting behind a flood, and a peer from hoarding our memory:

1. Chunks of one channel never mix: a channel's message ends before its next one starts.
2. Chunks of different channels may come in any order. The sender picks the most urgent
   channel anew for every chunk.
3. Of the messages above `EXCLUSIVE_BYTES` only one is under way at a time, on all channels
   together. Smaller ones overtake it. Hence a receiver's unfinished messages hold at most
   one whole message plus `EXCLUSIVE_BYTES` per other channel.

The flag `MORE` says that the message goes on in the channel's next chunk. The flag `NOTICE`
marks a message that its sender could not send at all (too many parts): a single chunk with
the number of parts and their total size, in place of the message.
"""

from __future__ import annotations

import struct

from sandbox_kernel.wire.named import IntEnum, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Part = Union[bytes, memoryview]
else:
    Part = object  # for who imports it; annotations are not evaluated

WIRE_VERSION = 2
"""Changes whenever either side would misread the other."""

CHUNK_BYTES = 64 * 1024
"""Longest chunk after its header. It is what the most urgent message may have to wait for, so
small; but large enough that its header and handling (a few µs) vanish beside its copying.
It is also what a Linux pipe holds by default."""

MAX_PARTS = 4096
"""Most parts in a message. Jupyter's own need about ten; widgets and Dask send a part per
binary buffer, hundreds at times. Two million empty parts cost a receiver 138 MB and 5 s."""

EXCLUSIVE_BYTES = 256 * 1024
"""Messages above this size go one at a time. Replies, prompts and plots are mostly smaller."""

MAX_SUPERVISION_BYTES = 1024 * 1024
"""Longest message on the supervisor channel. The largest real one is Start, with argv and the
granted environment, which Linux itself limits to a few hundred KiB in practice."""

HEADER = struct.Struct("<BBI")
COUNT = struct.Struct("<I")
LENGTH_BYTES = 8  # of each part's entry in the opening: no part is too long to be described
NOTICE_BODY = struct.Struct("<IQ")
MORE = 1
NOTICE = 2


class Channel(IntEnum):
    """Where a message belongs; the lower the number, the more urgent."""

    SUPERVISOR = 0
    CONTROL = 1
    HEARTBEAT = 2
    SHELL = 3
    STDIN = 4
    IOPUB = 5


class Message(NamedTuple):
    """One whole message, as it was put in on the other side."""

    channel: Channel
    parts: tuple[Part, ...]


class Oversized(NamedTuple):
    """A message that was not delivered: it, or its number of parts, is over the cap."""

    channel: Channel
    size: int
    """Bytes of all parts together, as its sender declared them."""
    parts: int


class Begun(NamedTuple):
    """The beginning of a message that is told of piece by piece."""

    channel: Channel
    lengths: tuple[int, ...]
    """Of its parts. There is at least one byte to come."""


class Piece(NamedTuple):
    """The next bytes of the message that was begun on a channel, across the borders of its parts."""

    channel: Channel
    data: memoryview
