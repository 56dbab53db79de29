"""From bytes to messages.

Bytes of a long message are copied once, from the input into the part under construction; or
not at all, where whoever takes the messages wants those that do not arrive whole as they come.
What is over the cap is counted down as it arrives and never held.

Everything the peer declares is checked when it is declared: a chunk's header against the
message it continues, an opening against the chunk that carries it. So by the time bytes
are taken there is nothing left to doubt, and each chunk brings its message forward.
"""

from __future__ import annotations

import struct

from sandbox_kernel.wire.errors import LocalProtocolError, RemoteProtocolError
from sandbox_kernel.wire.frames import (
    CHUNK_BYTES,
    COUNT,
    EXCLUSIVE_BYTES,
    HEADER,
    LENGTH_BYTES,
    MAX_PARTS,
    MAX_SUPERVISION_BYTES,
    MORE,
    NOTICE,
    NOTICE_BODY,
    Begun,
    Channel,
    Message,
    Oversized,
    Part,
    Piece,
)
from sandbox_kernel.wire.growing import Growing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Union

    Whole = Union[Message, Oversized]
    Event = Union[Message, Oversized, Begun, Piece]
else:
    Whole = Event = object

_CHANNELS = tuple(Channel)


class _Incoming:
    """A message of which some bytes are still to come."""

    __slots__ = ("_growing", "_lengths", "exclusive", "held", "missing", "parts", "passed", "skipped")

    def __init__(self, lengths: tuple[int, ...], total: int, *, skipped: bool, passed: bool) -> None:
        self.parts: list[Part] = []
        self.missing = total
        self.held = 0
        self.skipped = skipped
        self.passed = passed
        self.exclusive = total > EXCLUSIVE_BYTES
        self._lengths = () if skipped else lengths
        self._growing: Growing | None = None

    def take(self, data: memoryview) -> None:
        """Take the next bytes of the body; the caller has checked that they are not too many."""
        self.missing -= len(data)
        if not self.skipped and not self.passed:
            self.held += len(data)
            while data:
                data = self._fill_part(data)

    def finish(self) -> tuple[Part, ...]:
        """Return the parts; only what is empty can still be lacking at the end."""
        return (*self.parts, *(b"" for _ in self._lengths[len(self.parts) :]))

    def _fill_part(self, data: memoryview) -> memoryview:
        if self._growing is None:
            length = self._lengths[len(self.parts)]
            if len(data) >= length:
                self.parts.append(bytes(data[:length]))
                return data[length:]
            self._growing = Growing(length)
        count = min(len(data), self._growing.missing)
        self._growing.add(data[:count])
        if not self._growing.missing:
            self.parts.append(self._growing.finish())
            self._growing = None
        return data[count:]


class Decoder:
    """Reads one direction of a stream. Feed it bytes in any cuts, take whole messages."""

    def __init__(self, *, max_message: int, max_parts: int = MAX_PARTS) -> None:
        """Accept messages of up to `max_message` bytes in up to `max_parts` parts."""
        if max_message < 1 or not 1 <= max_parts <= MAX_PARTS:
            raise LocalProtocolError(
                f"a decoder needs max_message >= 1 and 1 <= max_parts <= {MAX_PARTS}, "
                f"not {max_message} and {max_parts}"
            )
        self._piecewise: Collection[Channel] = ()
        self._max_message = max_message
        self._max_parts = max_parts
        self._unread = b""  # the start of a header or of an opening, never of a body
        self._incoming: list[_Incoming | None] = [None] * len(_CHANNELS)
        self._current = Channel.SUPERVISOR  # the channel of the chunk under way
        self._chunk_left = 0  # bytes of its body that are still to come
        self._failure = ""

    def __repr__(self) -> str:
        state = f"failed: {self._failure}" if self._failure else f"holding {self.held} bytes"
        return f"<Decoder {state}>"

    @property
    def held(self) -> int:
        """Bytes kept for messages that are not complete yet."""
        return len(self._unread) + sum(each.held for each in self._incoming if each)

    def receive(self, data: bytes | bytearray | memoryview) -> list[Whole]:
        """Take the next bytes and return what they complete, in the order of the stream.

        An `Oversized` is reported once, as soon as its size is known; its bytes are then
        skipped as they come.

        :raises RemoteProtocolError: the peer broke the rules. From then on every call raises
            it; messages that the same data completed before the fault are not returned.
        """
        whole: list[Whole] = self._receive(data)  # type: ignore[assignment]  # nothing is passed on
        return whole

    def _receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        if self._failure:
            raise RemoteProtocolError(self._failure)
        try:
            return self._parse(memoryview(data))
        except RemoteProtocolError as error:
            self._fail(str(error))
            raise

    def eof(self) -> None:
        """Say that no more bytes will come.

        :raises RemoteProtocolError: the stream ended inside a message.
        """
        if not self._failure and (self._unread or self._chunk_left or any(self._incoming)):
            self._fail("the stream ended inside a message")
        if self._failure:
            raise RemoteProtocolError(self._failure)

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._unread = b""
        self._incoming = [None] * len(_CHANNELS)

    def _parse(self, data: memoryview) -> list[Event]:
        if self._unread:
            data = memoryview(self._unread + data)
        events: list[Event] = []
        position, end = 0, len(data)
        while position < end:
            if self._chunk_left:
                position = self._read_body(data, position, events)
                continue
            length = self._read_header(data, position, events)
            if not length:
                break
            position += length
        self._unread = bytes(data[position:])
        return events

    def _read_body(self, data: memoryview, start: int, events: list[Event]) -> int:
        incoming = self._incoming[self._current]
        if incoming is None:
            raise AssertionError("a chunk has a body, but no message it belongs to")
        stop = min(len(data), start + self._chunk_left)
        incoming.take(piece := data[start:stop])
        self._chunk_left -= stop - start
        if incoming.passed:
            events.append(Piece(self._current, piece))
        if not incoming.missing:
            self._incoming[self._current] = None
            if not incoming.skipped and not incoming.passed:
                events.append(Message(self._current, incoming.finish()))
        return stop

    def _read_header(self, data: memoryview, start: int, events: list[Event]) -> int:
        """Return how many bytes were taken; 0 where there are too few to go on."""
        if len(data) - start < HEADER.size:
            return 0
        number, flags, length = HEADER.unpack_from(data, start)
        if number >= len(_CHANNELS):
            raise RemoteProtocolError(f"there is no channel {number}")
        if length > CHUNK_BYTES:
            raise RemoteProtocolError(f"a chunk of {length} bytes; at most {CHUNK_BYTES} are allowed")
        if flags not in {0, MORE, NOTICE}:
            raise RemoteProtocolError(f"a chunk has the unknown flags {flags:#x}")
        channel = _CHANNELS[number]
        incoming = self._incoming[number]
        if incoming is not None:
            self._check_continuation(incoming, flags, length)
            self._enter(channel, length)
            return HEADER.size
        if flags == NOTICE:
            return self._read_notice(data, start, channel, length, events)
        return self._read_opening(data, start, channel, length, more=flags == MORE, events=events)

    @staticmethod
    def _check_continuation(incoming: _Incoming, flags: int, length: int) -> None:
        complete = length < incoming.missing if flags == MORE else length == incoming.missing
        if flags == NOTICE or not length or not complete:
            raise RemoteProtocolError(
                f"a chunk of {length} bytes with flags {flags:#x} does not continue "
                f"a message that lacks {incoming.missing} bytes"
            )

    def _read_notice(
        self, data: memoryview, start: int, channel: Channel, length: int, events: list[Event]
    ) -> int:
        if length != NOTICE_BODY.size:
            raise RemoteProtocolError(f"a notice of {length} bytes")
        if len(data) - start < HEADER.size + NOTICE_BODY.size:
            return 0
        count, size = NOTICE_BODY.unpack_from(data, start + HEADER.size)
        events.append(Oversized(channel, size, count))
        return HEADER.size + NOTICE_BODY.size

    def _read_opening(
        self, data: memoryview, start: int, channel: Channel, length: int, *, more: bool, events: list[Event]
    ) -> int:
        at = start + HEADER.size
        if length < COUNT.size:
            raise RemoteProtocolError(f"a message starts with a chunk of {length} bytes")
        if len(data) - at < COUNT.size:
            return 0
        count: int = COUNT.unpack_from(data, at)[0]
        opening = COUNT.size + count * LENGTH_BYTES
        if not count or opening > length:
            raise RemoteProtocolError(f"a message of {count} parts in a first chunk of {length} bytes")
        if len(data) - at < opening:
            return 0
        lengths = struct.unpack_from(f"<{count}Q", data, at + COUNT.size)
        total = sum(lengths)
        body = length - opening
        if not (body < total if more else body == total):
            raise RemoteProtocolError(f"a message of {total} bytes with {body} in its first chunk")
        at += opening
        if not more and len(data) - at >= body and self._allows(channel, total, count):
            events.append(Message(channel, _cut(data, at, lengths)))  # most messages: all at once
            return HEADER.size + length
        self._begin(channel, lengths, total, events)
        self._enter(channel, body)
        return HEADER.size + opening

    def _allows(self, channel: Channel, total: int, count: int) -> bool:
        cap = self._max_message
        if channel is Channel.SUPERVISOR:
            cap = min(cap, MAX_SUPERVISION_BYTES)
        return total <= cap and count <= self._max_parts

    def _begin(self, channel: Channel, lengths: tuple[int, ...], total: int, events: list[Event]) -> None:
        skipped = not self._allows(channel, total, len(lengths))
        passed = channel in self._piecewise and not skipped
        incoming = _Incoming(lengths, total, skipped=skipped, passed=passed)
        if incoming.exclusive and any(each and each.exclusive for each in self._incoming):
            raise RemoteProtocolError(f"two messages above {EXCLUSIVE_BYTES} bytes at the same time")
        if incoming.skipped:
            events.append(Oversized(channel, total, len(lengths)))
        elif passed:
            events.append(Begun(channel, lengths))
        if total:
            self._incoming[channel] = incoming

    def _enter(self, channel: Channel, body: int) -> None:
        self._current = channel
        self._chunk_left = body


class PiecewiseDecoder(Decoder):
    """Tells of messages on some channels as they come: collects none of those that do not arrive whole."""

    def pass_on(self, channels: Collection[Channel]) -> None:
        """Begin to do so on these channels, with the next message of each."""
        self._piecewise = channels

    def receive_pieces(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take the next bytes and return what they bring; as `receive`, but for the pieces.

        A `Piece` is a view of `data`: use it before those bytes change.

        :raises RemoteProtocolError: the peer broke the rules.
        """
        return self._receive(data)


def _cut(data: memoryview, at: int, lengths: tuple[int, ...]) -> tuple[bytes, ...]:
    whole = bytes(data[at : at + sum(lengths)])
    parts, at = [], 0
    for length in lengths:
        parts.append(whole[at : at + length])
        at += length
    return tuple(parts)
