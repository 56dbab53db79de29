"""The connection that carries an attached stream, by what it is made of.

Each gives two descriptors with different numbers to poll (a poller knows a number once), reads
and writes without waiting, and can be cut from any thread: at the daemon's side that is the end
of the container's standard input, and the guest ends with it.
"""

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Final, Protocol

from sandbox_kernel.wire import Part

RECORD: Final = 16 << 10
"""Most bytes that TLS encrypts in one go."""


class Line(Protocol):
    """A byte stream each way."""

    stdin: int
    """To wait on before `write`."""
    stdout: int
    """To wait on before `read`."""

    def read(self, buffer: memoryview) -> int:
        """Take what has arrived; 0 at the end.

        :raises BlockingIOError: nothing has.
        :raises OSError: the connection broke.
        """

    def write(self, buffers: Sequence[Part]) -> int:
        """Send what is taken now.

        :raises BlockingIOError: that is nothing.
        :raises OSError: the connection broke.
        """

    def cut(self) -> None:
        """End both directions at once. Idempotent; never raises; any thread."""

    def close(self) -> None:
        """Cut, and give the descriptors back. Idempotent."""


class _Cut:
    """How a line's connection is shut down."""

    stdin: int

    def __init__(self) -> None:
        self._closing = threading.Lock()

    def cut(self) -> None:
        """Shut the connection down; the descriptors stay, so that whoever polls them wakes up.

        Below TLS, too: what comes then is no record, which is the end.
        """
        with self._closing:
            if self.stdin >= 0:
                _shut_down(self.stdin)


class SocketLine(_Cut):
    """A connected socket: of this machine, over the network, or of an ssh client; takes it over."""

    def __init__(self, connected: socket.socket) -> None:
        self.stdin = connected.detach()
        self.stdout = os.dup(self.stdin)
        os.set_blocking(self.stdin, False)
        super().__init__()

    def read(self, buffer: memoryview) -> int:
        """Take what has arrived."""
        return os.readv(self.stdout, [buffer])

    def write(self, buffers: Sequence[Part]) -> int:
        """Send what the socket takes now."""
        return os.writev(self.stdin, buffers)

    def close(self) -> None:
        """Cut and close."""
        self.cut()
        with self._closing:
            for descriptor in {self.stdin, self.stdout} - {-1}:
                os.close(descriptor)
            self.stdin = self.stdout = -1


class TlsLine(_Cut):
    """A TLS connection; `read` wants buffers of at least RECORD bytes, so that it leaves nothing behind.

    TLS takes a record whole or not at all, and must be given the same record again. So the last
    byte of one that is not through yet is not said to be written: the caller has to come back.
    """

    def __init__(self, connected: ssl.SSLSocket) -> None:
        connected.setblocking(False)
        self.stdin = connected.fileno()
        self.stdout = os.dup(self.stdin)
        self._socket = connected
        self._record = b""
        super().__init__()

    def read(self, buffer: memoryview) -> int:
        """Take the next record."""
        try:
            return self._socket.recv_into(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error
        except ssl.SSLEOFError:
            return 0

    def write(self, buffers: Sequence[Part]) -> int:
        """Send one record, or go on with the one that was begun."""
        begun = bool(self._record)
        record = self._record or b"".join(buffers)[:RECORD]
        try:
            sent = self._socket.send(record)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self._record = record
            if begun or len(record) == 1:
                raise BlockingIOError from error
            return len(record) - 1
        self._record = record[sent:]
        if begun:
            return 0 if self._record else 1
        return sent - 1 if self._record else sent

    def close(self) -> None:
        """Cut and close."""
        self.cut()
        with self._closing:
            if self.stdin >= 0:
                self._socket.close()
                os.close(self.stdout)
            self.stdin = self.stdout = -1


def _shut_down(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as handle:
        handle.shutdown(socket.SHUT_RDWR)
