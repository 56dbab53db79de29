"""The guest's connections to the kernel: five channels, as a proxy would hold them.

Messages pass with their routing identities, unread. The shell and stdin connections share one
identity, or the kernel's question for input() would find no one.

Nothing is lost on the way: what the kernel does not take waits, and where `MAX_WAITING` messages
wait for the host, its connections are not read. Then a publisher with our `profile` waits
(another one drops).

The end of a connection is read behind all that was in it; so the end of a kernel needs no
guessed waiting time.

Since version 7, ipykernel greets each subscription with `iopub_welcome`. The one for ours is
swallowed: the host makes its own for each client.
"""

from __future__ import annotations

import select

from sandbox_kernel.guest.line import READ_BYTES, Line, Passage
from sandbox_kernel.guest.zmtp import SUBSCRIPTION, opening
from sandbox_kernel.wire import Channel, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_PORTS = {  # the most urgent first, which is the order in which they are looked at
    Channel.CONTROL: 4,
    Channel.HEARTBEAT: 5,
    Channel.SHELL: 1,
    Channel.STDIN: 3,
    Channel.IOPUB: 2,
}

_NEEDED = (Channel.SHELL, Channel.CONTROL, Channel.IOPUB)

MAX_WAITING = 64
"""Messages of a channel that wait here for the host, give or take one read. Beyond, the kernel waits."""

RETRY_MS = 5
"""How long after a refused connection the next attempt follows. The kernel binds its sockets
a few hundred milliseconds after its start; what it says first should not be missed."""

_DELIMITER = b"<IDS|MSG>"


class Relay:
    """Connections to a kernel that may not have bound its side yet."""

    def __init__(self, prefix: str, poller: select.poll) -> None:
        """Connect to the sockets whose paths are `prefix`, a dash and the port's number."""
        buffer = memoryview(bytearray(READ_BYTES))
        requests, published = (opening(b"DEALER", b"sandbox"), b""), (opening(b"SUB"), SUBSCRIPTION)
        self.lines = {
            channel: Line(
                f"{prefix}-{port}", *(published if channel is Channel.IOPUB else requests), buffer=buffer
            )
            for channel, port in _PORTS.items()
        }
        self._poller = poller
        self._armed = dict.fromkeys(_PORTS, (-1, 0))
        self.connect()

    def __repr__(self) -> str:
        names = ", ".join(name.name for name, line in self.lines.items() if line.met and not line.ended)
        return f"<Relay connected to {names or 'nothing'}>"

    @property
    def up(self) -> bool:
        """Whether the kernel has accepted us on all channels that a client cannot do without."""
        return all(self.lines[channel].met for channel in _NEEDED)

    @property
    def down(self) -> bool:
        """Whether every connection there was has ended, with all it carried delivered to us."""
        return all(line.ended for line in self.lines.values() if line.met)

    @property
    def whole(self) -> bool:
        """Whether there are connections for all channels."""
        return all(line.descriptor >= 0 for line in self.lines.values())

    def connect(self) -> None:
        """Try to make the connections that are lacking."""
        for line in self.lines.values():
            line.connect()

    def send(self, channel: Channel, parts: tuple[Part, ...]) -> None:
        """Pass a message on to the kernel, or keep it until the kernel has bound its side."""
        self.lines[channel].send(parts)

    def passage(self, channel: Channel, lengths: tuple[int, ...]) -> Passage:
        """Return what takes a message to the kernel as it comes."""
        return self.lines[channel].passage(lengths)

    def receive(self, channel: Channel) -> list[Part] | None:
        """Return the next message from the kernel, or None if there is none now."""
        line = self.lines[channel]
        while line.inbox or line.read():
            while line.inbox:
                parts = line.inbox.popleft()
                if channel is not Channel.IOPUB or not _is_welcome(parts):
                    return parts
        return None

    def handle(self, happened: dict[int, int], held: Collection[Channel]) -> None:
        """Write what can be written; of the channels that are held back, read only what may wait here."""
        for channel, line in self.lines.items():
            events = happened.get(line.descriptor, 0)
            if events & select.POLLOUT:
                line.flush()
            if events & ~select.POLLOUT and channel in held:
                line.read()

    def arm(self, held: Collection[Channel]) -> None:
        """Have the poller wait for what is of interest now; unchanged interests cost nothing."""
        for channel, line in self.lines.items():
            reading = channel not in held or len(line.inbox) < MAX_WAITING
            events = (select.POLLIN if reading else 0) | (select.POLLOUT if line.blocked else 0)
            descriptor = line.descriptor if events else -1
            before, events_before = self._armed[channel]
            if (descriptor, events) == (before, events_before):
                continue
            if before >= 0 and before != descriptor:
                self._disarm(before)
            if descriptor >= 0:
                self._poller.register(descriptor, events)
            self._armed[channel] = descriptor, events

    def _disarm(self, descriptor: int) -> None:
        # Another connection may have its number by now, and is registered under it.
        if all(line.descriptor != descriptor for line in self.lines.values()):
            self._poller.unregister(descriptor)

    def close(self) -> None:
        """Close all connections; what they still hold is lost."""
        for line in self.lines.values():
            line.close()


def _is_welcome(parts: list[Part]) -> bool:
    # Our subscription names no topic, so its greeting has none: most messages are passed at a glance.
    return len(parts) > 2 and parts[0] == _DELIMITER and b'"iopub_welcome"' in bytes(parts[2])
