"""Serving it: its streams go out in the order of their bytes, what it is asked goes in.

What it says crosses on `Channel.IOPUB`, two parts each: the number of the stream, and bytes. One channel,
for what it printed before an answer must be there before the answer. What it is asked comes on
`Channel.SHELL`, one part, as it is to read it.
"""

from __future__ import annotations

import os
import select

from sandbox_kernel.guest.counters import Group
from sandbox_kernel.guest.program._sandbox_runner import ANSWERS
from sandbox_kernel.guest.tunnel import HostGoneError, Tunnel
from sandbox_kernel.wire import (
    Channel,
    Event,
    Log,
    Message,
    Ready,
    RemoteProtocolError,
    Signal,
    decode,
)
from sandbox_kernel.wire.named import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.guest.kernel import Exit
    from sandbox_kernel.guest.life import Life
    from sandbox_kernel.guest.program.start import Program

BACKLOG_BYTES = 1024 * 1024
"""From here on the program waits with what it says."""

READ_BYTES = 64 * 1024
"""One read: a full pipe."""

MOST_READS = 32
"""Of a stream at once: pipes hold a mebibyte at most, and somebody may go on to write."""


class ProgramService:
    """Relays between a program and the host until the program ends."""

    def __init__(self, tunnel: Tunnel, life: Life, program: Program) -> None:
        self._tunnel = tunnel
        self._life = life
        self._program = program
        self._group = Group()
        self._ready = False
        self._asked: list[memoryview] = []
        self._streams = {program.output: b"1", program.error: b"2", program.answers: b"%d" % ANSWERS}
        self._poller = select.poll()
        for descriptor in (tunnel.stdin, *life.wakeups):
            self._poller.register(descriptor, select.POLLIN)

    def __repr__(self) -> str:
        return f"<ProgramService {self._program!r} {self._tunnel!r}>"

    def serve(self, early: list[Event]) -> Exit:
        """Serve until the program has ended and its last words are queued; return how it ended.

        :raises HostGoneError: the host closed the stream, or the guest is to end.
        :raises RemoteProtocolError: the host sent something it must not send.
        """
        for event in early:
            self._take(event)
        while self._program.exit is None:
            self._turn()
        self._life.kill_all()  # nobody may add to it
        while self._hear():
            pass
        self._count()
        return self._program.exit

    def close(self) -> None:
        """Close everything but the tunnel."""
        self._program.close()

    def _turn(self) -> None:
        """Wait for something, and handle it."""
        self._arm()
        happened = dict(self._poller.poll())
        if any(each in happened for each in self._life.wakeups) and self._life.woken():
            raise HostGoneError
        if self._tunnel.stdin in happened:
            for event in self._tunnel.receive():
                self._take(event)
        self._ask()
        if any(each in happened for each in self._streams):
            self._hear()
        self._tunnel.flush()

    def _arm(self) -> None:
        """Wait for the right things: for what the program says as long as there is room for it."""
        outbox = self._tunnel.outbox
        said = select.POLLIN if outbox.pending() < BACKLOG_BYTES else 0
        for descriptor in self._streams:
            self._watch(descriptor, said)
        self._watch(self._program.requests, select.POLLOUT if self._asked else 0)
        self._watch(self._tunnel.stdout, select.POLLOUT if outbox else 0)

    def _watch(self, descriptor: int, events: int) -> None:
        if events:
            self._poller.register(descriptor, events)
        else:  # registered for nothing, it would still wake us for its end, all the time
            with suppress(KeyError):
                self._poller.unregister(descriptor)

    def _take(self, event: Event) -> None:
        """Handle one message from the host."""
        if not isinstance(event, Message):
            self._tunnel.tell(Log("A message from the host was too long.\n"))
        elif event.channel is Channel.SUPERVISOR:
            order = decode(event.parts)
            if not isinstance(order, Signal):
                raise RemoteProtocolError(f"{type(order).__name__} is nothing to tell a running program")
            self._program.signal(order.signum)
        elif event.channel is Channel.SHELL:
            self._asked += [memoryview(bytes(part)) for part in event.parts]
        else:
            raise RemoteProtocolError(f"a message on {event.channel.name}, where a program listens to none")

    def _ask(self) -> None:
        """Write what the program is asked, as far as it takes it now."""
        while self._asked:
            try:
                written = os.write(self._program.requests, self._asked[0])
            except BlockingIOError:
                return
            except BrokenPipeError:  # it has closed its end, or itself
                self._asked.clear()
                return
            rest = self._asked[0][written:]
            self._asked[:1] = [rest] if rest else []

    def _hear(self) -> bool:
        """Take what there is, an answer behind all that was printed before it; return whether there was one.

        The answer is read first: of what it speaks is in the other pipes by then. Read last, it might be one
        that came since, and so did what it speaks of.
        """
        answer = self._read(self._program.answers)
        for descriptor in (self._program.output, self._program.error):
            for _ in range(MOST_READS):
                if not (said := self._read(descriptor)):
                    break
                self._tunnel.send(Channel.IOPUB, [self._streams[descriptor], said])
        if answer:
            self._count()
            if not self._ready:
                self._ready = True
                self._tunnel.tell(Ready())
            self._tunnel.send(Channel.IOPUB, [b"%d" % ANSWERS, answer])
        return bool(answer)

    def _read(self, descriptor: int) -> bytes:
        """Return what one read of a stream brings; nothing, too, once it is closed."""
        if descriptor not in self._streams:
            return b""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            del self._streams[descriptor]
            self._watch(descriptor, 0)
        return data

    def _count(self) -> None:
        """Tell what was killed or refused, before the answer that it explains."""
        counters = self._group.grown()
        if counters is not None:
            self._tunnel.tell(counters)
