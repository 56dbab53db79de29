"""The loop that moves messages between the front sockets and the sandbox's byte streams.

It runs in the sandbox's own thread and touches nothing that blocks. Two rules:

- It never stops reading from the guest. What is over budget is read and dropped, so a
  hostile guest can neither stall it nor make it hold more than one message under way and
  what the budget lets wait for a client that does not read.
- It stops reading from *clients* while OUTBOX_LIMIT bytes wait for a guest that does not
  read: then ZeroMQ pushes back on the clients, as it does for a busy plain kernel.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import zmq

from sandbox_kernel import __version__
from sandbox_kernel.host.commands import Commands
from sandbox_kernel.host.deadlines import Deadlines, Due, Verdict
from sandbox_kernel.host.engines.base import SandboxProcess, Usage
from sandbox_kernel.host.guard import Action, Guard, ToGuest
from sandbox_kernel.host.unread import Sender, send_parts
from sandbox_kernel.wire import (
    WIRE_VERSION,
    Channel,
    Counters,
    Decoder,
    Hello,
    KernelExit,
    Log,
    Message,
    Outbox,
    Oversized,
    Part,
    Ready,
    RemoteProtocolError,
    Signal,
    Supervision,
    decode,
    encode,
)

OUTBOX_LIMIT = 8 << 20
"""Bytes that may wait for the guest: a few large requests, not a client's whole backlog."""

READ_SIZE = 256 << 10
"""Bytes per read: a quarter of a 1 MiB pipe, so that one wake-up empties what gathered."""

WRITE_SIZE = 256 << 10
"""Bytes per write: about what a guest has read meanwhile; more would be planned in vain."""

LARGE = 64 << 10
"""Bytes of a client's part from which on it is passed on where ZeroMQ has put it, without a copy."""

BATCH = 64
"""Messages taken from one client socket per wake-up, so that no channel starves another."""

AFTERWARDS = 1.0
"""Seconds in which a dead kernel's clients learn why, when they ask on after the cell that has failed."""

SLOW_READER = 10.0
"""Seconds that clients get to read all that the kernel had published before its end."""

LOOK = 50
"""Milliseconds between two looks at what clients have taken."""

LONGEST_POLL = 2**31 - 1
"""Milliseconds: a C int, which is what a poll takes. A deadline may be a year away."""

FLUSH = 5.0
"""Seconds that a guest has to send its backlog once its kernel has ended."""

_IN, _OUT, _NOBLOCK = int(zmq.POLLIN), int(zmq.POLLOUT), int(zmq.NOBLOCK)
"""As plain numbers: flags of an enumeration cost as much as the calls that they are for."""

Sockets: TypeAlias = "dict[Channel, zmq.Socket[bytes]]"


class GuestVersionError(Exception):
    """The guest, in an image that was built long ago, is not this version's."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The image's guest is of sandbox-kernel {version}, this is {__version__}; "
            "build the image again with `sandbox-kernel image build`."
        )


class Tunnel:
    """One launch of one kernel, from the guest's first byte to its last."""

    def __init__(
        self,
        process: SandboxProcess,
        sockets: Sockets,
        guard: Guard,
        deadlines: Deadlines,
        commands: Commands,
        *,
        max_message: int,
        log: Callable[[str], None],
    ) -> None:
        self.ready = False
        self.kernel_exit: KernelExit | None = None
        self.hello: Hello | None = None
        self.ended = False
        self.counted = Usage()
        """What the guest has seen its own control group count."""
        self.complaints = b""
        self.on_ready: Callable[[], None] = lambda: None
        self.on_due: Callable[[Due], None] = lambda _: None
        self._process = process
        self._sockets = sockets
        self._publisher = _publisher(sockets)
        """None while it is kept warm: then there are no clients. A program never has any."""
        self.guard = guard
        guard.before_reply = self._side_effects
        self._deadlines = deadlines
        self._commands = commands
        self._log = log
        self._outbox = Outbox()
        self._decoder = Decoder(max_message=max_message)
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._poller = zmq.Poller()
        self._armed: dict[object, int] = {}
        self._armed_for: object = None
        self._complaining = process.stderr >= 0
        self._seen = Usage()
        self._flush_until: float | None = None
        self._dismissed = False
        self._bells: dict[int, Callable[[], None]] = {}

    def listen(self, descriptor: int, rung: Callable[[], None]) -> None:
        """Call `rung` from `serve`, once, when the descriptor becomes readable."""
        self._bells[descriptor] = rung

    def hand_over(self, sockets: Sockets, guard: Guard, deadlines: Deadlines) -> None:
        """Serve clients from now on, whose kernel has been warm: nobody has heard or asked it anything."""
        self._sockets, self._publisher = sockets, _publisher(sockets)
        self.guard, self._deadlines = guard, deadlines
        guard.before_reply = self._side_effects
        guard.kernel_ready = True
        tuple(self._side_effects())  # what came before is nothing to the owner's first cell
        deadlines.begin(time.monotonic())

    def tell(self, message: Supervision) -> None:
        """Send a supervision message to the guest."""
        self._outbox.put(Channel.SUPERVISOR, encode(message))

    def ask(self, parts: tuple[Part, ...]) -> None:
        """Send a request to the guest that no client has sent."""
        self._deadlines.asked(time.monotonic())
        self._outbox.put(Channel.SHELL, parts)

    def serve(self, *, start_by: float) -> None:
        """Move messages until the guest's stream ends, or the kernel is not ready in time.

        :raises RemoteProtocolError: the guest broke the wire protocol.
        :raises ViolationError: the kernel broke the guard's rules too often.
        :raises GuestVersionError: the guest is another version's.
        """
        while not self.ended:
            self._arm()
            events = dict(self._poller.poll(self._timeout(start_by)))
            if self._commands.wake in events:
                self._commands.run()
            for descriptor in self._bells.keys() & events.keys():
                self._bells.pop(descriptor)()
            self._serve_clients(events)
            if self._process.stderr in events:
                self._read_complaints()
            if self._process.stdout in events:
                self._read_guest()
            self._write_guest()
            self._keep_time()
            if not self.ready and time.monotonic() > start_by:
                return

    # Readiness

    def _arm(self) -> None:
        """Tell the poller what is of interest now; unchanged interests cost nothing."""
        backlog = self._outbox.pending()
        state = (backlog > 0, backlog < OUTBOX_LIMIT, self._complaining, len(self._bells), self._publisher)
        if state == self._armed_for:
            return
        self._armed_for = state
        wanted: dict[object, int] = {self._commands.wake: _IN, self._process.stdout: _IN}
        wanted.update(dict.fromkeys(self._bells, _IN))
        if backlog < OUTBOX_LIMIT:
            wanted.update(dict.fromkeys(self._sockets.values(), _IN))
        if self._complaining:
            wanted[self._process.stderr] = _IN
        if backlog:
            wanted[self._process.stdin] = _OUT
        for target in self._armed.keys() - wanted.keys():
            self._poller.unregister(target)
        for target, flags in wanted.items():
            if self._armed.get(target) != flags:
                self._poller.register(target, flags)
        self._armed = wanted

    def _timeout(self, start_by: float) -> int | None:
        due = [self._deadlines.next_due(), self._flush_until, None if self.ready else start_by]
        times = [time_ for time_ in due if time_ is not None]
        if not times:
            return None
        return min(max(0, int((min(times) - time.monotonic()) * 1000) + 1), LONGEST_POLL)

    # Clients

    def _serve_clients(self, events: dict[object, int]) -> None:
        for channel in sorted(self._sockets):
            if self._sockets[channel] in events:
                for _ in range(BATCH):
                    if not self._take_from_client(channel):
                        break

    def _take_from_client(self, channel: Channel) -> bool:
        if channel is Channel.IOPUB:
            return self._greet()
        try:
            frames = self._sockets[channel].recv_multipart(_NOBLOCK, copy=False)
        except zmq.Again:
            return False
        if channel is not Channel.HEARTBEAT:
            self._deadlines.asked(time.monotonic())
        parts = [frame.bytes if len(frame) < LARGE else frame.buffer for frame in frames]
        self._act(self.guard.from_client(channel, parts))
        return self._outbox.pending() < OUTBOX_LIMIT

    def _greet(self) -> bool:
        """Let the next client subscribe, and welcome it: nothing is published to it in between."""
        iopub = self._sockets[Channel.IOPUB]
        try:
            asked = iopub.recv_multipart(_NOBLOCK)[0]
        except zmq.Again:
            return False
        self._deadlines.asked(time.monotonic())
        if asked[:1] == b"\x01":
            iopub.setsockopt(zmq.SUBSCRIBE, asked[1:])
            self._act((self.guard.welcome(asked[1:]),))
        elif asked[:1] == b"\x00":
            iopub.setsockopt(zmq.UNSUBSCRIBE, asked[1:])
        return True

    # The guest

    def _read_guest(self) -> None:
        for _ in range(4):  # then the clients get their turn
            try:
                count = self._process.read(self._buffer)
            except BlockingIOError:
                return
            except OSError:  # the engine's stream broke: it has ended all the same
                count = 0
            if not count:
                self.ended = True
                return
            self.guard.budget.unread = self._unread()
            for message in self._decoder.receive(self._buffer[:count]):
                self._take_from_guest(message)

    def _take_from_guest(self, message: Message | Oversized) -> None:
        if message.channel is Channel.SUPERVISOR:
            if isinstance(message, Message):
                self._supervised(decode(message.parts))
            return
        self._act(self.guard.from_guest(message))

    def _supervised(self, message: object) -> None:
        match message:
            case Log(text=text):
                self._log(text)
            case Hello():
                if (message.wire_version, message.guest_version) != (WIRE_VERSION, __version__):
                    raise GuestVersionError(message.guest_version)
                self.hello = message
            case Ready() if not self.ready:
                self._process.settle()
                self.ready = self.guard.kernel_ready = True
                self._deadlines.begin(time.monotonic())
                self.on_ready()
            case Counters():
                self.counted |= Usage(*message)
            case KernelExit() if self.kernel_exit is None:
                self.kernel_exit = message
                self._flush_until = time.monotonic() + FLUSH
            case _:  # twice, or an order, which is the host's to give
                raise RemoteProtocolError(f"its guest sent {type(message).__name__} out of turn")

    def _side_effects(self) -> Iterator[str]:
        """Yield what the wall has refused or killed while the cell that is answered ran."""
        seen, self._seen = self._seen, self._process.usage() | self.counted
        if self._seen.oom_kills > seen.oom_kills:
            yield "A process of this cell was killed: the memory limit was reached."
        if self._seen.pids_refused > seen.pids_refused:
            yield "The limit on processes and threads ('pids') was reached."

    def _read_complaints(self) -> None:
        try:
            text = os.read(self._process.stderr, READ_SIZE)
        except BlockingIOError:
            return
        if text:
            self.complaints = (self.complaints + text)[-READ_SIZE:]
        else:
            self._complaining = False

    def _write_guest(self) -> None:
        while self._outbox:
            try:
                self._outbox.advance(self._process.write(self._outbox.buffers(WRITE_SIZE)))
            except BlockingIOError:
                return
            except OSError:  # the guest is gone; the end of its stream tells the rest
                self._outbox = Outbox()
                return

    # Time

    def _keep_time(self) -> None:
        now = time.monotonic()
        # What a client sends to a kernel that still starts does not run yet.
        running = self.guard.ledger.lanes() if self.ready else ()
        self._deadlines.observe((cell.msg_id for cell in running), now)
        due = self._deadlines.verdict(now)
        if due:
            if due.verdict is Verdict.INTERRUPT:
                self.guard.interrupted(due.cell, due.sentence)
                self.tell(Signal(2))
            self.on_due(due)
        if self._flush_until is not None and now > self._flush_until:
            self.ended = True

    def _act(self, actions: Iterable[Action], *, marked: bool = False) -> None:
        for action in actions:
            if isinstance(action, ToGuest):
                self._outbox.put(action.channel, action.parts)
            elif self._publisher is None:
                continue
            elif action.channel is Channel.IOPUB:
                self._publisher.send(action.parts, marked=marked)
            else:
                send_parts(self._sockets[action.channel], action.parts)

    def _unread(self) -> int:
        return self._publisher.unread() if self._publisher else 0

    def take_last_requests(self) -> None:
        """Note what clients have sent that the guest will never see, so that it is answered as well."""
        for channel in (Channel.SHELL, Channel.CONTROL):
            for _ in range(BATCH):
                if not self._take_from_client(channel):
                    break

    def publish(self, actions: Iterable[Action]) -> None:
        """Send what the guard has to say at the end."""
        self._act(actions, marked=True)

    def dismiss(self) -> None:
        """Have `answer_for_the_dead` return: nobody is left who would ask."""
        self._dismissed = True

    def answer_for_the_dead(self) -> None:
        """For a while, let the guard answer what clients ask, until one asks for the end.

        The while begins when all have taken the last words: a connection that ends takes along what its
        client, whose own queue is full, has not read yet.
        """
        self._outbox = Outbox()
        poller = zmq.Poller()
        for target in (self._commands.wake, *self._sockets.values()):
            poller.register(target, zmq.POLLIN)
        until = (begun := time.monotonic()) + AFTERWARDS
        while not self._dismissed and not self.guard.shutdown_requested and time.monotonic() < until:
            events = dict(poller.poll(LOOK))
            if self._commands.wake in events:
                self._commands.run()
            self._serve_clients(events)
            if self._unread() and time.monotonic() < begun + SLOW_READER:
                until = time.monotonic() + AFTERWARDS


def _publisher(sockets: Sockets) -> Sender | None:
    return Sender(sockets[Channel.IOPUB]) if sockets else None
