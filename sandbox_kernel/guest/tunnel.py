"""The guest's end of the byte stream: never blocks, always readable."""

from __future__ import annotations

import os

from sandbox_kernel.wire import MAX_PARTS, Channel, Event, Outbox, Part, PiecewiseDecoder, Supervision, encode

READ_BYTES = 256 * 1024
"""One read: several pipes full, so that a long message costs few calls."""

WRITE_BYTES = 256 * 1024
"""One write, as far as the pipe takes it; more would only be planned in vain."""

MAX_FROM_HOST = 2**32
"""Longest message from the host. The host is trusted and has its own caps; this one only
keeps a broken stream from being taken for a message."""


class HostGoneError(Exception):
    """The host closed the stream, or asked the guest to end: nobody is left to serve."""


class Tunnel:
    """Messages to and from the host. Owns its two descriptors."""

    def __init__(self, stdin: int, stdout: int) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.outbox = Outbox()
        self._decoder = PiecewiseDecoder(max_message=MAX_FROM_HOST)
        self._buffer = memoryview(bytearray(READ_BYTES))
        for descriptor in (stdin, stdout):
            os.set_blocking(descriptor, False)

    def __repr__(self) -> str:
        return f"<Tunnel {self._decoder!r} {self.outbox!r}>"

    def pass_on(self, channels: frozenset[Channel]) -> None:
        """From now on tell of long messages on these channels piece by piece, as they come."""
        self._decoder.pass_on(channels)

    def receive(self) -> list[Event]:
        """Return what has arrived; nothing, if nothing has. A `Piece` is good until the next call.

        :raises HostGoneError: the host closed the stream.
        :raises RemoteProtocolError: the host sent something that is no message.
        """
        try:
            count = os.readv(self.stdin, [self._buffer])
        except BlockingIOError:
            return []
        except ConnectionError as error:
            raise HostGoneError from error
        if not count:
            raise HostGoneError
        return self._decoder.receive_pieces(self._buffer[:count])

    def send(self, channel: Channel, parts: list[Part]) -> None:
        """Queue a message of the kernel's; one with too many parts is only announced."""
        if len(parts) > MAX_PARTS:
            self.outbox.put_notice(channel, parts)
        else:
            self.outbox.put(channel, parts)

    def tell(self, message: Supervision) -> None:
        """Queue a message of our own."""
        self.outbox.put(Channel.SUPERVISOR, encode(message))

    def flush(self) -> None:
        """Write what the stream takes now.

        :raises HostGoneError: the host closed the stream.
        """
        while self.outbox:
            buffers: list[Part] = self.outbox.buffers(WRITE_BYTES)
            try:
                written = os.writev(self.stdout, buffers)
            except BlockingIOError:
                return
            except ConnectionError as error:
                raise HostGoneError from error
            self.outbox.advance(written)

    def close(self) -> None:
        """Close both directions; what was not flushed is lost."""
        for descriptor in {self.stdin, self.stdout}:
            os.close(descriptor)
