"""Heartbeats: a client's word goes in, and the same word, to the byte, comes back.

No key is needed to send one, neither outside nor inside.
"""

from collections import deque
from collections.abc import Iterator

from sandbox_kernel.host.speech import Action, ToClient, ToGuest
from sandbox_kernel.wire import Channel, Message, Part

MAX_BEATS = 100
"""Heartbeats on their way at once: each client sends its next after the last has come back."""

MAX_BEAT_PARTS = 4
"""Parts of a heartbeat: an address, an empty part and a word; a proxy in between adds an address."""

MAX_BEAT = 4 << 10
"""Bytes of a heartbeat: a word, and addresses of 255 at most."""


class Heartbeat:
    """The heartbeats of one kernel's clients."""

    def __init__(self) -> None:
        self._under_way: deque[tuple[bytes, ...]] = deque(maxlen=MAX_BEATS)

    def from_client(self, parts: tuple[Part, ...], *, kernel_ready: bool) -> Iterator[Action]:
        """Yield it for the guest; or, while the kernel starts, its echo: an early client must not give up."""
        if len(parts) > MAX_BEAT_PARTS or sum(map(len, parts)) > MAX_BEAT:
            return
        if not kernel_ready:
            yield ToClient(Channel.HEARTBEAT, parts)
            return
        self._under_way.append(tuple(map(bytes, parts)))
        yield ToGuest(Channel.HEARTBEAT, parts)

    def from_guest(self, message: Message) -> Iterator[ToClient]:
        """Yield the echo of what a client has sent, once, and nothing else."""
        parts = tuple(map(bytes, message.parts[:MAX_BEAT_PARTS]))
        if len(message.parts) <= MAX_BEAT_PARTS and parts in self._under_way:
            self._under_way.remove(parts)
            yield ToClient(message.channel, parts)
