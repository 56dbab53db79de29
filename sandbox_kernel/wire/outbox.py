"""From messages to bytes: what is sent next, and how much is waiting.

`buffers` only looks; `advance` commits. So what was planned but not written is planned anew,
and a message that arrived in between and is more urgent goes first. Only a chunk that was
written in part must be finished before anything else.

Messages that fit into one chunk are joined when they are put; longer ones are cut when their
turn comes, into views of the parts they came in.
"""

from __future__ import annotations

import struct

from sandbox_kernel.wire.errors import LocalProtocolError
from sandbox_kernel.wire.frames import (
    CHUNK_BYTES,
    COUNT,
    EXCLUSIVE_BYTES,
    HEADER,
    LENGTH_BYTES,
    MAX_PARTS,
    MORE,
    NOTICE,
    NOTICE_BODY,
    Channel,
    Part,
)
from sandbox_kernel.wire.named import NamedTuple, deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Union

MAX_BUFFERS = 1024
"""Most buffers handed out at once: Linux takes no more in one writev (IOV_MAX)."""

_JOIN_ABOVE = 16  # a chunk of more pieces is joined: handling each would cost more than the copy


class _Long:
    """A message of several chunks, sent up to `_sent`."""

    __slots__ = ("_channel", "_index", "_offset", "_parts", "exclusive", "left")

    def __init__(self, channel: Channel, opening: bytes, parts: Sequence[Part], total: int) -> None:
        self._channel = channel
        self._parts = (opening, *parts)
        self._index = 0  # the part, and the place in it, of the next byte to send
        self._offset = 0
        self.left = len(opening) + total
        self.exclusive = total > EXCLUSIVE_BYTES

    def chunks(self) -> Iterator[_Chunk]:
        """Cut what is left into chunks, without taking anything away."""
        index, offset, left = self._index, self._offset, self.left
        while left:
            size = min(left, CHUNK_BYTES)
            pieces, index, offset = self._slice(index, offset, size)
            left -= size
            header = HEADER.pack(self._channel, MORE if left else 0, size)
            yield _Chunk(self, self._channel, (header, *pieces), HEADER.size + size, (index, offset, left))

    def commit(self, position: tuple[int, int, int]) -> None:
        self._index, self._offset, self.left = position

    def _slice(self, index: int, offset: int, size: int) -> tuple[list[Part], int, int]:
        pieces: list[Part] = []
        while size:
            piece = memoryview(self._parts[index])[offset : offset + size]
            size -= len(piece)
            offset += len(piece)
            if offset == len(self._parts[index]):
                index, offset = index + 1, 0
            if piece:
                pieces.append(piece)
        return ([b"".join(pieces)] if len(pieces) > _JOIN_ABOVE else pieces), index, offset


if TYPE_CHECKING:
    _Entry = Union[bytes, _Long]


class _Chunk(NamedTuple):
    entry: _Entry
    channel: Channel
    pieces: tuple[Part, ...]
    size: int
    after: tuple[int, int, int]  # where its message stands once it is sent


_DONE = (0, 0, 0)


class Outbox:
    """Queues messages for one direction of a stream and cuts them into what to write next."""

    def __init__(self) -> None:
        self._queues: tuple[deque[_Entry], ...] = tuple(deque() for _ in Channel)
        self._waiting = [0] * len(self._queues)
        self._begun: list[Part] = []  # what is left of a chunk that was written in part
        self._begun_size = 0
        self._plan: list[_Chunk] = []
        self._exclusive: _Long | None = None

    def __bool__(self) -> bool:
        return bool(self._begun) or any(self._queues)

    def __repr__(self) -> str:
        waiting = {each.name: self._waiting[each] for each in Channel if self._waiting[each]}
        return f"<Outbox {self.pending()} bytes waiting {waiting}>"

    def put(self, channel: Channel, parts: Sequence[Part]) -> None:
        """Queue a message. Its parts must not change until they are sent.

        :raises LocalProtocolError: no parts, or more than `MAX_PARTS`; see `put_notice`.
        """
        count = len(parts)
        if not 1 <= count <= MAX_PARTS:
            raise LocalProtocolError(f"a message has 1 to {MAX_PARTS} parts, not {count}")
        lengths = [len(part) for part in parts]
        total = sum(lengths)
        size = COUNT.size + count * LENGTH_BYTES + total
        if size <= CHUNK_BYTES:
            head = struct.pack(f"<BBII{count}Q", channel, 0, size, count, *lengths)
            self._append(channel, b"".join((head, *parts)), HEADER.size + size)
        else:
            opening = struct.pack(f"<I{count}Q", count, *lengths)
            self._append(channel, _Long(channel, opening, parts, total), size)

    def put_notice(self, channel: Channel, parts: Sequence[Part]) -> None:
        """Queue, in place of a message with too many parts, only the word that there was one."""
        body = NOTICE_BODY.pack(len(parts), sum(len(part) for part in parts))
        notice = HEADER.pack(channel, NOTICE, len(body)) + body
        self._append(channel, notice, len(notice))

    def pending(self, channel: Channel | None = None) -> int:
        """Return how many bytes wait, in all or on one channel (there without a begun chunk)."""
        if channel is None:
            return self._begun_size + sum(self._waiting)
        return self._waiting[channel]

    def buffers(self, limit: int) -> list[Part]:
        """Return what to write next, most urgent first: about `limit` bytes, at least one chunk.

        Nothing is taken away until `advance`; calling it again gives a fresh answer.
        """
        pieces = list(self._begun)
        size = self._begun_size
        self._plan = []
        for chunk in self._chunks():
            if pieces and (size + chunk.size > limit or len(pieces) + len(chunk.pieces) > MAX_BUFFERS):
                break
            self._plan.append(chunk)
            pieces += chunk.pieces
            size += chunk.size
        return pieces

    def advance(self, written: int) -> None:
        """Take away the first `written` bytes of what the last `buffers` returned.

        :raises LocalProtocolError: that was not so much.
        """
        if self._begun:
            taken = min(written, self._begun_size)
            self._begun = _without(self._begun, taken)
            self._begun_size -= taken
            written -= taken
        for chunk in self._plan:
            if not written:
                break
            self._commit(chunk)
            if written < chunk.size:
                self._begun = _without(chunk.pieces, written)
                self._begun_size = chunk.size - written
            written -= min(written, chunk.size)
        self._plan = []
        if written:
            raise LocalProtocolError(f"{written} bytes more were written than there were to write")

    def _append(self, channel: Channel, entry: _Entry, size: int) -> None:
        self._queues[channel].append(entry)
        self._waiting[channel] += size

    def _chunks(self) -> Iterator[_Chunk]:
        """Yield what would be sent, in order, if nothing more came."""
        exclusive = self._exclusive
        for channel in Channel:
            for entry in self._queues[channel]:
                if isinstance(entry, bytes):
                    yield _Chunk(entry, channel, (entry,), len(entry), _DONE)
                    continue
                if entry.exclusive:
                    if exclusive not in {None, entry}:
                        break  # this channel waits; less urgent small messages need not
                    exclusive = entry
                yield from entry.chunks()
                if entry is exclusive:
                    return  # what it kept waiting may be more urgent than what would follow

    def _commit(self, chunk: _Chunk) -> None:
        entry, queue = chunk.entry, self._queues[chunk.channel]
        if isinstance(entry, bytes):
            queue.popleft()
            self._waiting[chunk.channel] -= len(entry)
            return
        self._waiting[chunk.channel] -= chunk.size - HEADER.size
        entry.commit(chunk.after)
        if entry.exclusive:
            self._exclusive = entry if entry.left else None
        if not entry.left:
            queue.popleft()


def _without(pieces: Sequence[Part], count: int) -> list[Part]:
    """Return what follows the first `count` bytes of `pieces`."""
    rest: list[Part] = []
    for piece in pieces:
        if count < len(piece):
            rest.append(memoryview(piece)[count:] if count else piece)
        count = max(0, count - len(piece))
    return rest
