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

EVERY = 256 << 10
"""Bytes between two such messages: to know of each would cost more than to send it."""


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
            self._socket.send_multipart(parts, copy=False)
            return
        *rest, last = parts
        frame = zmq.Frame(last, track=True, copy=False, copy_threshold=0)
        self._socket.send_multipart([*rest, frame], copy=False)
        if frame.tracker is not None:
            self._marks.append((self._sent, frame.tracker))

    def unread(self) -> int:
        """Return the bytes that some subscriber has still to take, give or take EVERY."""
        while self._marks and self._marks[0][1].done:
            self._taken = self._marks.popleft()[0]
        return self._sent - self._taken
