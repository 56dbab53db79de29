"""Serving a running kernel: one thread, one wait, everything in batches.

It waits for whatever can happen, takes a batch of it, writes what the stream takes, and waits
again. Reading from the host never stops. Writing never blocks: what the host has not taken
waits in the outbox, and once that holds `BACKLOG_BYTES` the kernel's bulky channels wait in
their connections, while control, heartbeat and supervision go on. What is long and comes from
the host goes on to the kernel piece by piece.
"""

from __future__ import annotations

import select
from time import monotonic

from sandbox_kernel.guest.counters import Group
from sandbox_kernel.guest.log import LogPipe
from sandbox_kernel.guest.relay import RETRY_MS, Relay
from sandbox_kernel.guest.tunnel import HostGoneError, Tunnel
from sandbox_kernel.wire import (
    Begun,
    Channel,
    Event,
    Log,
    Message,
    Piece,
    Ready,
    RemoteProtocolError,
    Signal,
    decode,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.guest.kernel import Exit, Kernel
    from sandbox_kernel.guest.life import Life
    from sandbox_kernel.guest.line import Passage

BACKLOG_BYTES = 8 * 1024 * 1024
"""From here on the outbox takes no more of the bulky channels: enough to keep the stream busy."""

BATCH = 256
"""Most messages taken from one channel before the others have their turn."""

SILENT_START_SECONDS = 1.0
"""A kernel that accepts connections but says nothing counts as ready after this time.
ipykernel announces itself, but a subscriber can be too late for it, and others need not."""

QUIET_SECONDS = 0.1
"""No message for this long: a dead kernel has left no more. Needed only where a descendant
holds its connections open; else their end is seen."""

STALLED_SECONDS = 5.0
"""The host has read nothing for this long: what a dead kernel has left is given up."""

_PIECEWISE = frozenset({Channel.CONTROL, Channel.HEARTBEAT, Channel.SHELL, Channel.STDIN})
_BULKY = frozenset({Channel.SHELL, Channel.STDIN, Channel.IOPUB})


class Service:
    """Relays between a kernel and the host until the kernel ends."""

    def __init__(self, tunnel: Tunnel, life: Life, kernel: Kernel, prefix: str) -> None:
        self._tunnel = tunnel
        self._life = life
        self._kernel = kernel
        self._log = LogPipe(kernel.output)
        self._poller = select.poll()
        self._relay = Relay(prefix, self._poller)
        self._group = Group()
        self._ready = False
        self._spoken = False
        self._silent_until = float("inf")
        self._retry_at = 0.0
        self._held: frozenset[Channel] = frozenset()
        self._writing = False
        for descriptor in (tunnel.stdin, kernel.output, *life.wakeups):
            self._poller.register(descriptor, select.POLLIN)
        self._passages: dict[Channel, Passage] = {}
        tunnel.pass_on(_PIECEWISE)
        self._adjust()

    def __repr__(self) -> str:
        return f"<Service {self._kernel!r} {self._relay!r} {self._tunnel!r}>"

    def serve(self, early: list[Event]) -> Exit:
        """Serve until the kernel has ended and its last words are queued; return how it ended.

        `early` is what the host sent before there was a kernel.

        :raises HostGoneError: the host closed the stream, or the guest is to end.
        :raises RemoteProtocolError: the host sent something it must not send.
        """
        for event in early:
            self._take(event)
        while self._kernel.exit is None:
            self._turn(self._patience())
        self._drain()
        return self._kernel.exit

    def close(self) -> None:
        """Close everything but the tunnel. Idempotent."""
        self._log.close()
        self._relay.close()

    def _turn(self, patience_ms: int | None) -> int:
        """Wait for something and handle a batch of it; return the number of messages relayed."""
        happened = dict(self._poller.poll(patience_ms))
        if any(each in happened for each in self._life.wakeups) and self._life.woken():
            raise HostGoneError
        if self._tunnel.stdin in happened:
            for event in self._tunnel.receive():
                self._take(event)
        if self._log.descriptor in happened:
            self._forward_log()
        self._relay.handle(happened, self._held)
        relayed = sum(
            self._forward(channel)
            for channel, line in self._relay.lines.items()
            if line.inbox or line.descriptor in happened or self._kernel.exit is not None
        )
        if not self._relay.whole and self._kernel.exit is None:
            self._reconnect()
        if not self._ready:
            self._note_progress()
        self._tunnel.flush()
        self._adjust()
        return relayed

    def _take(self, event: Event) -> None:
        """Handle one message from the host, or a piece of one."""
        if isinstance(event, Piece):
            self._passages[event.channel].take(event.data)
        elif isinstance(event, Begun):
            self._passages[event.channel] = self._relay.passage(event.channel, event.lengths)
        elif not isinstance(event, Message):
            self._tunnel.tell(Log(f"A message of {event.size} bytes from the host was too long.\n"))
        elif event.channel is Channel.SUPERVISOR:
            order = decode(event.parts)
            if not isinstance(order, Signal):
                raise RemoteProtocolError(f"{type(order).__name__} is nothing to tell a running kernel")
            self._kernel.signal(order.signum)
        elif event.channel is Channel.IOPUB:
            raise RemoteProtocolError("a message to the channel that only the kernel publishes on")
        else:
            self._relay.send(event.channel, event.parts)

    def _forward(self, channel: Channel) -> int:
        """Queue a batch of what the kernel has sent on one channel; return how many messages."""
        outbox = self._tunnel.outbox
        for count in range(BATCH):
            if channel in _BULKY and outbox.pending() >= BACKLOG_BYTES:
                return count
            parts = self._relay.receive(channel)
            if parts is None:
                return count
            if channel is Channel.SHELL:
                self._count()
            self._tunnel.send(channel, parts)
            self._spoken = self._spoken or channel is Channel.IOPUB
        return BATCH

    def _count(self) -> None:
        """Tell what was killed or refused, before the reply of the cell that it happened to."""
        counters = self._group.grown()
        if counters is not None:
            self._tunnel.tell(counters)

    def _forward_log(self) -> None:
        for log in self._log.read():
            self._tunnel.tell(log)
        if self._log.descriptor is None:
            self._poller.unregister(self._kernel.output)

    def _reconnect(self) -> None:
        """Try again to make the connections that are lacking, but not all the time."""
        if monotonic() >= self._retry_at:
            self._relay.connect()
            self._retry_at = monotonic() + RETRY_MS / 1000

    def _note_progress(self) -> None:
        """Say Ready once the kernel is connected and has spoken, or has kept silent for long."""
        if self._relay.up:
            self._silent_until = min(self._silent_until, monotonic() + SILENT_START_SECONDS)
            if self._spoken or monotonic() >= self._silent_until:
                self._ready = True
                self._tunnel.tell(Ready())

    def _patience(self) -> int | None:
        if any(line.inbox and channel not in self._held for channel, line in self._relay.lines.items()):
            return 0
        if not self._relay.whole:
            return RETRY_MS
        if self._ready or self._silent_until == float("inf"):
            return None
        return max(0, round(1000 * (self._silent_until - monotonic()))) + 1

    def _adjust(self) -> None:
        """Wait for the right things next time: for room to write, for bulky channels if there is."""
        writing = bool(self._tunnel.outbox)
        if writing != self._writing:
            self._writing = writing
            self._poller.register(self._tunnel.stdout, select.POLLOUT if writing else 0)
        self._held = _BULKY if self._tunnel.outbox.pending() >= BACKLOG_BYTES else frozenset()
        self._relay.arm(self._held)

    def _drain(self) -> None:
        """Pass on what the dead kernel had sent and written before its end."""
        self._life.kill_all()  # nobody may add to it, nor hold its connections open
        for descriptor in self._life.wakeups:
            self._poller.unregister(descriptor)
        moved = monotonic()
        while monotonic() < moved + (STALLED_SECONDS if self._held else QUIET_SECONDS):
            ended = self._relay.down  # asked first: what was in a connection comes before its end
            before = self._tunnel.outbox.pending()
            if self._turn(0 if ended else 10) or self._tunnel.outbox.pending() != before:
                moved = monotonic()
            elif ended and not self._held:
                break
        for log in self._log.drain():
            self._tunnel.tell(log)
        self._count()
