"""One connection to one of the kernel's sockets, spoken without libzmq.

Nothing blocks. What the kernel has not taken waits here, without bound: the host has its own
bounds, and reading from it never stops. A long message goes on to the kernel as it comes in,
piece by piece, and is never here whole.
"""

from __future__ import annotations

# `socket` takes five milliseconds to import, of which nothing is needed here.
import _socket
from itertools import islice

from sandbox_kernel.guest.zmtp import NoMessageError, Reader, frames, head
from sandbox_kernel.wire.named import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.wire import Part

READ_BYTES = 256 * 1024
"""One read: more than a unix socket holds by default."""

_FLAGS = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
_PIECES = 64  # buffers handed to one sendmsg


class Line:
    """Connects to a path where nobody may listen yet: `connect` until there is a descriptor."""

    def __init__(
        self, path: str, opening: bytes, first: bytes = b"", *, buffer: memoryview | None = None
    ) -> None:
        """Say `opening` when there is a connection, and `first` before all other messages.

        :param buffer: what is read goes through it, and out of it at once: lines of one thread may share one.
        """
        self.inbox: deque[list[Part]] = deque()
        """Whole messages of the kernel's, not passed on yet."""
        self.met = False
        """Whether a kernel has ever answered here."""
        self.ended = False
        """Whether the last connection has ended, with all that was in it delivered to us."""
        self._path = path
        self._opening = opening
        self._first = first
        self._buffer = memoryview(bytearray(READ_BYTES)) if buffer is None else buffer
        self._socket: _socket.socket | None = None
        self._reader = Reader()
        self._welcomed = False
        self._waiting: deque[Part] = deque()
        self.descriptor = -1
        """What to wait on; -1 while there is no connection."""
        self.lost = 0
        """How many connections have ended; what was begun on one of them is not for the next."""

    def __repr__(self) -> str:
        state = "ended" if self.ended else "connected" if self.met else "not met"
        return f"<Line {self._path} {state}>"

    @property
    def blocked(self) -> bool:
        """Whether something waits for room in the connection."""
        return bool(self._waiting) and self._reader.ready

    def connect(self) -> None:
        """Try to make a connection, unless there is one."""
        if self._socket is not None:
            return
        attempt = _socket.socket(_socket.AF_UNIX, _FLAGS)
        try:
            attempt.connect(self._path)
            attempt.send(self._opening)  # there is room for so little
        except OSError:  # not bound yet, or too many want to be accepted
            attempt.close()
        else:
            self._socket, self.descriptor, self.ended = attempt, attempt.fileno(), False

    def send(self, parts: tuple[Part, ...]) -> None:
        """Pass a message on to the kernel, or keep it until it can be."""
        self._waiting.append(b"".join(frames(parts)))
        self.flush()

    def passage(self, lengths: tuple[int, ...]) -> Passage:
        """Return what takes the bytes of a message as they come; until its end nothing else is sent."""
        return Passage(self, lengths)

    def write(self, pieces: list[Part]) -> None:
        """Write a piece of a message; what is not taken now is copied."""
        if len(pieces) > _PIECES:
            pieces = [b"".join(pieces)]
        if not self._waiting:
            pieces = _rest(pieces, self._written(pieces))
        if pieces:
            self._waiting.append(b"".join(pieces))

    def flush(self) -> None:
        """Write what waits, as far as the connection takes it."""
        while self._waiting and self._reader.ready:
            pieces = list(islice(self._waiting, _PIECES))
            written = self._written(pieces)
            if not written:
                return
            for _ in pieces:
                self._waiting.popleft()
            self._waiting.extendleft(reversed(_rest(pieces, written)))

    def _written(self, pieces: list[Part]) -> int:
        if self._socket is None or not self._reader.ready:
            return 0
        try:
            return self._socket.sendmsg(pieces)
        except BlockingIOError:
            return 0
        except OSError:  # it has ended; reading tells of that, after what it has said before
            self._waiting.clear()
            return 0

    def read(self) -> bool:
        """Take what has come into the inbox; return whether there was anything."""
        if self._socket is None:
            return False
        try:
            count = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError:
            count = 0
        try:
            self.inbox.extend(self._reader.receive(self._buffer[:count]))
        except NoMessageError:  # it is not the kernel that listens there
            count = 0
        if not count:
            self._end()
        elif not self._welcomed and self._reader.ready:
            self._begin()
        return bool(count)

    def _begin(self) -> None:
        """Say what has waited for a kernel that listens."""
        self.met = self._welcomed = True
        if self._first:
            self._waiting.appendleft(self._first)
        self.flush()

    def _end(self) -> None:
        """Forget the connection, with all that was meant for it."""
        self.close()
        self.ended = True
        self._welcomed = False
        self.lost += 1
        self._reader = Reader()
        self._waiting.clear()

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self.descriptor = None, -1


class Passage:
    """A message on its way through: from the host's stream into one connection, as it comes."""

    def __init__(self, line: Line, lengths: tuple[int, ...]) -> None:
        self._line = line
        self._lost = line.lost
        self._left = deque(lengths)
        self._missing = 0  # bytes of the part whose frame was begun

    def take(self, data: memoryview) -> None:
        """Pass on the next bytes, no more than the message has."""
        pieces: list[Part] = []
        while data:
            if not self._missing:
                pieces += self._heads()
            piece = data[: self._missing]
            pieces.append(piece)
            self._missing -= len(piece)
            data = data[len(piece) :]
        if not self._missing:
            pieces += self._heads()
        if self._line.lost == self._lost:
            self._line.write(pieces)

    def _heads(self) -> list[Part]:
        """Begin the next part that has bytes, and pass on those before it that have none."""
        heads: list[Part] = []
        while self._left and not self._missing:
            self._missing = self._left.popleft()
            heads.append(head(self._missing, more=bool(self._left)))
        return heads


def _rest(pieces: list[Part], count: int) -> list[Part]:
    """Return what follows the first `count` bytes."""
    for index, piece in enumerate(pieces):
        if count < len(piece):
            return [memoryview(piece)[count:], *pieces[index + 1 :]]
        count -= len(piece)
    return []
