"""ZMTP 3.0, ZeroMQ's own protocol, as far as a guest speaks it to its kernel; no I/O.

Why not libzmq: it hands every message to a thread of its own and back, takes in a message whole
before it passes on the first byte of it, and has to be imported, all of it twice on the way of
each message. The part of the protocol that two ends on one machine need is small: a greeting,
one command, then frames (https://rfc.zeromq.org/spec/23/).
"""

from __future__ import annotations

from sandbox_kernel.wire import Growing, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"
_MECHANISM = b"NULL".ljust(20, b"\0")
_GREETING = _SIGNATURE + b"\x03\x00" + _MECHANISM + bytes(32)

_MORE, _LONG, _COMMAND = 1, 2, 4
_READY = b"\x05READY"

SUBSCRIPTION = b"\x00\x01\x01"
"""A message of one byte: a subscriber's wish to hear everything."""

MAX_FRAME = 2**32
"""Longest frame that is taken from a kernel: what is longer is no message but a broken stream."""

_SMALL = 64 * 1024
"""A frame that is shorter waits, unless it is here whole, in front of what comes next."""


class NoMessageError(Exception):
    """The peer does not speak ZMTP, or not to us."""


def opening(socket_type: bytes, identity: bytes = b"") -> bytes:
    """Return what a socket of this type says first. Its messages must wait until the peer is `ready`."""
    metadata = _property(b"Socket-Type", socket_type) + _property(b"Identity", identity)
    ready = _READY + metadata
    command = bytes((_COMMAND, len(ready))) + ready
    return _GREETING + command


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


def head(length: int, *, more: bool) -> bytes:
    """Return what goes before a frame of this length."""
    if length < 256:
        return bytes((_MORE if more else 0, length))
    return bytes((_LONG | (_MORE if more else 0),)) + length.to_bytes(8, "big")


def frames(parts: Iterable[Part]) -> list[Part]:
    """Return what to write for a message."""
    pieces: list[Part] = []
    *rest, last = parts
    for part in rest:
        pieces += (head(len(part), more=True), part)
    return [*pieces, head(len(last), more=False), last]


class Reader:
    """Reads what one peer says on one connection."""

    def __init__(self) -> None:
        self.ready = False
        """Whether the peer has said what it is: from now on messages come."""
        self._greeted = False
        self._unread = b""
        self._parts: list[Part] = []
        self._growing: Growing | None = None
        self._more = False  # whether the frame that grows is not its message's last

    def receive(self, data: memoryview) -> list[list[Part]]:
        """Take the next bytes and return the messages that they complete.

        :raises NoMessageError: they are no ZMTP.
        """
        messages: list[list[Part]] = []
        if self._growing is not None:
            taken = self._grow(self._growing, data, messages)
            if taken == len(data):
                return messages
            data = data[taken:]
        self._read(self._unread + data if self._unread else bytes(data), messages)
        return messages

    def _grow(self, growing: Growing, data: memoryview, messages: list[list[Part]]) -> int:
        taken = min(growing.missing, len(data))
        growing.add(data[:taken])
        if not growing.missing:
            self._growing = None
            self._add(growing.finish(), messages, more=self._more)
        return taken

    def _add(self, part: Part, messages: list[list[Part]], *, more: bool) -> None:
        self._parts.append(part)
        if not more:
            messages.append(self._parts)
            self._parts = []

    def _read(self, data: bytes, messages: list[list[Part]]) -> None:
        position = 0 if self._greeted else self._read_greeting(data)
        end, parts = len(data), self._parts
        while end - position >= 2 and self._greeted:
            flags = data[position]
            start = position + (9 if flags & _LONG else 2)
            if start > end:
                break
            stop = start + int.from_bytes(data[position + 1 : start], "big")
            if stop > end:
                position = self._begin(flags, data, position, start, stop)
                break
            position = stop
            if flags & _COMMAND or not self.ready:
                self._command(flags, data[start:stop])
                continue
            parts.append(data[start:stop])
            if not flags & _MORE:
                messages.append(parts)
                parts = self._parts = []
        self._unread = data[position:]

    def _read_greeting(self, data: bytes) -> int:
        """Return how many bytes were taken; 0 where there are too few."""
        if len(data) < len(_GREETING):
            return 0
        if data[0] != _SIGNATURE[0] or data[9] != _SIGNATURE[9] or data[10] < 3 or data[12:32] != _MECHANISM:
            raise NoMessageError("the greeting of another protocol")
        self._greeted = True
        return len(_GREETING)

    def _begin(self, flags: int, data: bytes, position: int, start: int, stop: int) -> int:
        """Begin a frame that is not here whole; return from where on bytes are still unread."""
        length = stop - start
        if length <= _SMALL:
            return position
        if flags & _COMMAND or not self.ready or length > MAX_FRAME:
            raise NoMessageError(f"a frame of {length} bytes with flags {flags:#x}")
        self._growing, self._more = Growing(length), bool(flags & _MORE)
        self._growing.add(memoryview(data)[start:])
        return len(data)

    def _command(self, flags: int, body: bytes) -> None:
        """Take note of the peer's READY; what else it may command is nothing that concerns us."""
        if self.ready:
            return
        if not flags & _COMMAND or not body.startswith(_READY):
            raise NoMessageError("something else than READY after the greeting")
        self.ready = True
