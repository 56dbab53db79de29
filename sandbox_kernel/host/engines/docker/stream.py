"""Takes the daemon's headers out of an attached stream.

The standard output and error of a container without a terminal arrive as one stream of pieces,
each behind a header of eight bytes: which of the two, three zeros, the length. The daemon writes
the headers, so what is wrong with one is no trick of the code inside; but a stream that is read
wrongly once is never read rightly again, so nothing is guessed.

No I/O happens here, and nothing is copied that need not be: what is left after the headers is
shorter than what arrived, so it is moved together in the very buffer that it arrived in.
"""

from typing import Final

from sandbox_kernel.wire import RemoteProtocolError

HEADER: Final = 8
STDOUT: Final = 1
STDERR: Final = 2

MAX_PIECE: Final = 16 << 20
"""Longest piece. Daemons copy in pieces of up to 64 KiB; a length beyond this is no length."""


class Demultiplexer:
    """Feed it what arrives; it keeps nothing but where it stands."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = STDOUT
        self._left = 0

    def __repr__(self) -> str:
        return f"<Demultiplexer {self._left} bytes of stream {self._stream} to come>"

    @property
    def between(self) -> bool:
        """Whether the stream may end here: in no piece, and in no header."""
        return not self._left and not self._header

    def feed(self, data: memoryview) -> tuple[int, bytes]:
        """Leave the standard output in `data`, moved to its beginning; return its length, and the errors.

        :raises RemoteProtocolError: a header is none.
        """
        done, kept, errors = 0, 0, b""
        while done < len(data):
            if not self._left:
                done = self._read_header(data, done)
                continue
            size = min(self._left, len(data) - done)
            piece = data[done : done + size]
            if self._stream == STDERR:
                errors += piece
            else:
                if kept != done:
                    data[kept : kept + size] = piece
                kept += size
            done += size
            self._left -= size
        return kept, errors

    def _read_header(self, data: memoryview, start: int) -> int:
        """Take the next header, or what has come of it; return where it ends."""
        end = min(start + HEADER - len(self._header), len(data))
        self._header += data[start:end]
        if len(self._header) == HEADER:
            header, self._header = bytes(self._header), bytearray()
            self._stream, self._left = header[0], int.from_bytes(header[4:], "big")
            if self._stream not in {STDOUT, STDERR} or any(header[1:4]) or self._left > MAX_PIECE:
                self._left = 0
                raise RemoteProtocolError(f"the daemon's stream has {header.hex()} where a header must be")
        return end
