"""What waits in this process for clients that have not read it yet.

ZeroMQ queues without bound towards clients here: at its own mark it would drop silently, and
it counts messages where bytes matter. So they are counted here. Now and then a message is
sent in a buffer whose release ZeroMQ reports; what went before it to all subscribers has
been taken by them then, or they have gone.
"""

from collections import deque
from collections.abc import Sequence

import zmq

from sandbox_kernel.wire import Part

COPIED = 64 << 10
"""Bytes of a part below which it is cheaper to copy it than to have ZeroMQ give it back."""

_MORE = int(zmq.SNDMORE)

EVERY = 256 << 10
"""Bytes between two such messages: to know of each would cost more than to send it."""


def send_parts(socket: "zmq.Socket[bytes]", parts: Sequence[Part], *, more: bool = False) -> None:
    """Send a message, or its first parts: what `send_multipart` does, in a third of its time."""
    send, left = socket.send, len(parts) - 1 + more
    for part in parts:
        send(part, _MORE if left else 0, copy=len(part) < COPIED)
        left -= 1


class Sender:
    """Sends to one socket, and knows how much of it is still to be read."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket
        self._sent = 0
        self._taken = 0
        self._marks: deque[tuple[int, zmq.MessageTracker]] = deque()

    def send(self, parts: Sequence[Part], *, marked: bool = False) -> None:
        """Send a message; of one that is marked `unread` knows exactly when it was taken."""
        self._sent += sum(map(len, parts))
        last_mark = self._marks[-1][0] if self._marks else self._taken
        if self._sent - last_mark < EVERY and not marked:
            send_parts(self._socket, parts)
            return
        *rest, last = parts
        frame = zmq.Frame(last, track=True, copy=False, copy_threshold=0)
        send_parts(self._socket, rest, more=True)
        self._socket.send(frame, copy=False)
        if frame.tracker is not None:
            self._marks.append((self._sent, frame.tracker))

    def unread(self) -> int:
        """Return the bytes that some subscriber has still to take, give or take EVERY."""
        while self._marks and self._marks[0][1].done:
            self._taken = self._marks.popleft()[0]
        return self._sent - self._taken
