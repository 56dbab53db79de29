"""Output of a sandboxed IPython kernel is neither lost nor piles up.

Part of the profile, as `ipython_kernel_config.py`, which has ipykernel read it.

A stock ipykernel publishes from a thread that its cells do not wait for. When a cell is faster
than its reader, queues grow until the memory limit kills the kernel, and the socket drops what
is beyond 1000 messages. Neither is what a user expects of `print`. With this file a cell
that publishes waits for its reader: the socket does not drop, at most MAX_QUEUED messages wait
for it, and a stream is flushed after FLUSH_CHARACTERS. The control thread never waits, for an
answer to it must not. And who subscribes late is told that the kernel has begun.

Code inside can undo it. What it gains is to lose its own output or to reach its own memory
limit: nothing outside rests on this.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import types
from collections.abc import Callable  # noqa: TC003 - read at run time by nobody, and cheap
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from IPython import get_ipython

MAX_QUEUED = 8  # messages: enough to keep the stream busy, few enough to hold
FLUSH_CHARACTERS = 1 << 18  # text that gathers unsent, give or take one print()

PAUSE = 0.0005  # seconds between two looks: the publisher sends some messages meanwhile

CONTROL = "Control"  # what ipykernel calls the thread that answers on control
CONTROL_PATIENCE = 1.0  # seconds that an answer on control waits for output at most

_WRITE = OutStream.write
_WAITED_FOR: set[Any] = set()


class WaitingStream(OutStream):
    """Standard output or error whose writer waits once much is unsent."""

    _unsent = 0
    _timed = False
    """Whether a flush is due soon: one at a time, however often text is flushed before."""
    _target: tuple[Any, Any, Callable[[str], int]] = (None, None, len)
    """Where the text of a parent goes until the next flush: the parent, all buffers, the write of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin to wait with the first stream, which is made before anything is published."""
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        if self.pub_thread not in _WAITED_FOR:
            _WAITED_FOR.add(self.pub_thread)
            outlive_interrupts(self.pub_thread.thread)
            wait_for_reader(self.pub_thread)
            send_at_once(self.pub_thread)

    def write(self, string: str) -> int | None:  # type: ignore[override] # as in OutStream
        """Write as ever, then wait if it is time to."""
        count = self._write_on(string) if self._flush_pending and type(string) is str else None
        if count is None:
            count = _WRITE(self, string)  # `super()` takes a tenth of what a short print does
            self._aim()
        unsent = self._unsent = self._unsent + (count or 0)
        if unsent > FLUSH_CHARACTERS:
            self._unsent = 0
            self.flush()
            _forget_recorded_output()
        return count

    def _write_on(self, string: str) -> int | None:
        """Write to where the text before went; None where it may go elsewhere, or be more to do."""
        parent, buffers, write = self._target
        if parent is not self.parent_header or self.echo is not None or os.getpid() != self._master_pid:
            return None
        with self._buffer_lock:  # or the buffer might be sent meanwhile
            return write(string) if self._buffers is buffers and self.pub_thread is not None else None

    def _aim(self) -> None:
        """Keep where the text has gone; OutStream makes a key of the whole parent for each."""
        parent, buffers = self.parent_header, getattr(self, "_buffers", None)
        buffer = isinstance(buffers, dict) and buffers.get(frozenset(parent.items()))
        self._target = (parent, buffers, buffer.write) if buffer else (None, None, len)

    def _schedule_flush(self) -> None:
        """Have what was written sent soon, unless that is due already."""
        if self._flush_pending:
            return
        self._flush_pending = True
        if self._timed:
            return
        try:
            self.pub_thread.schedule(self._begin_time)
        except BaseException:  # an interrupt: whether it came before or after, the next text has to see to it
            self._flush_pending = False
            raise

    def _begin_time(self) -> None:
        if not self._timed:
            self._timed = True  # here, in the publisher's thread, which no interrupt strikes
            self._io_loop.call_later(self.flush_interval, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._timed = False  # first: what is written from now on may be too late for this one
        self._flush()  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Return when what was written is on its way, or nobody is left to send it.

        As in OutStream, but for the end of the kernel: there the publisher may stop between
        the order and its execution, and OutStream waits ten seconds for what cannot come.
        """
        publisher = self.pub_thread
        caller = threading.current_thread()
        if publisher is None or caller is publisher.thread or not publisher.thread.is_alive():
            self._flush()  # type: ignore[no-untyped-call]
            return
        sent = threading.Lock()  # an event takes ten times as long
        sent.acquire()

        def flush_and_tell() -> None:
            try:
                self._flush()  # type: ignore[no-untyped-call]
            finally:
                sent.release()

        publisher.schedule(flush_and_tell)
        patience = CONTROL_PATIENCE if caller.name == CONTROL else float("inf")
        while not sent.acquire(timeout=0.1) and publisher.thread.is_alive() and patience > 0:
            patience -= 0.1


def _forget_recorded_output() -> None:
    """IPython keeps all that a cell prints, for %notebook; of such a cell it keeps the end."""
    recorded = getattr(getattr(get_ipython(), "history_manager", None), "outputs", None)
    if recorded:
        recorded.popitem()  # the cell that has begun last


def outlive_interrupts(thread: threading.Thread) -> None:
    """Have the publisher's thread be alive until it has ended, whatever interrupts who asks.

    Before Python 3.13, a KeyboardInterrupt that strikes within `is_alive` has it marked as ended for good
    (gh-90882). What is published then is sent by whoever publishes it, on a socket that another thread
    uses, too: it stalls, or ends the kernel.
    """
    if sys.version_info < (3, 13):
        running = threading._active  # type: ignore[attr-defined]  # noqa: SLF001 - debuggers change `enumerate`
        thread.is_alive = lambda: running.get(thread.ident) is thread  # type: ignore[method-assign]


def until_its_end(publisher: Any) -> Callable[[Callable[[], None]], None]:
    """Return the publisher's `schedule`, without its wait for ever when the publisher is ending.

    What tells the publisher of a call is a socket that holds thousands: it is full when nobody is
    left to hear, and only then.
    """
    schedule = publisher.schedule

    def schedule_or_call(call: Callable[[], None]) -> None:
        if publisher.thread.is_alive():
            publisher._event_pipe.sndtimeo = 0  # noqa: SLF001 - the calling thread's own
        try:
            schedule(call)
        except zmq.Again:
            if not publisher.thread.is_alive():
                call()

    return schedule_or_call


def wait_for_reader(publisher: Any) -> None:
    """Have whoever publishes wait while MAX_QUEUED messages are on their way."""
    schedule = until_its_end(publisher)
    waiting = publisher._events  # noqa: SLF001 - to count them here would go wrong with each interrupt

    def schedule_in_turn(call: Callable[[], None]) -> None:
        caller = threading.current_thread()
        if caller is not publisher.thread and caller.name != CONTROL:
            while len(waiting) >= MAX_QUEUED and publisher.thread.is_alive():
                time.sleep(PAUSE)
        schedule(call)

    publisher.schedule = schedule_in_turn


def send_at_once(publisher: Any) -> None:
    """Have what the publisher's own thread sends go out now, where nothing was scheduled before it.

    It would be the next turn's otherwise: half of what a flush takes.
    """
    send = publisher.send_multipart

    def send_now(*arguments: Any, **options: Any) -> None:
        if threading.current_thread() is publisher.thread and not publisher._events:  # noqa: SLF001
            publisher._really_send(*arguments, **options)  # noqa: SLF001
        else:
            send(*arguments, **options)

    publisher.send_multipart = send_now


def bind_with_marks(app: type[IPKernelApp]) -> None:
    """Have the publisher's socket know its marks before it is bound.

    libzmq copies a socket's options when it binds. What is set later counts only for connections that the
    socket has noticed by then: for a reader that connects later the mark would be the usual 1000, and one
    that has begun to read would acknowledge every 500 messages, while a socket that has sent more than its
    new mark, with none to come, is full for ever.
    """
    bind = app._bind_socket  # noqa: SLF001 - there is no other moment between making and binding

    def bind_marked(self: IPKernelApp, socket: Any, port: int) -> int:
        if socket.type in (zmq.PUB, zmq.XPUB):
            socket.setsockopt(zmq.SNDHWM, MAX_QUEUED)
            socket.setsockopt(zmq.XPUB_NODROP, 1)
        return bind(self, socket, port)  # type: ignore[no-any-return, no-untyped-call]

    app._bind_socket = bind_marked  # type: ignore[method-assign]  # noqa: SLF001


def announce_to_the_late(publisher: type[IOPubThread], kernel: type[Kernel]) -> None:
    """Have who subscribes after the kernel has begun hear that it has.

    It is said once. Who comes later, as happens where a kernel takes no time to begin, would have to
    take its silence for a sign of life, after a while.
    """
    welcome, start = getattr(publisher, "_send_welcome_message", None), kernel.start
    if welcome is None:  # of before ipykernel 7.1: it does not hear of subscribers
        return
    begun: list[Kernel] = []

    def note_and_start(self: Kernel) -> None:
        begun.append(self)  # first: to hear it twice does no harm
        start(self)  # type: ignore[no-untyped-call]

    def welcome_and_tell(self: IOPubThread, subscription: str) -> None:
        welcome(self, subscription)
        if begun and self.session:
            message = self.session.msg("status", {"execution_state": "starting"})
            self.socket.send_multipart([b"status", *self.session.serialize(message)])

    kernel.start = note_and_start  # type: ignore[method-assign]
    publisher._send_welcome_message = welcome_and_tell  # type: ignore[method-assign]  # noqa: SLF001


bind_with_marks(IPKernelApp)
announce_to_the_late(IOPubThread, Kernel)

_module = sys.modules["_sandbox_output"] = types.ModuleType("_sandbox_output", __doc__)
_module.WaitingStream = WaitingStream  # type: ignore[attr-defined]

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - IPython provides it
config.IPKernelApp.outstream_class = "_sandbox_output.WaitingStream"
if hasattr(Kernel, "_execute_sleep"):
    # A nap before each reply, for output that a flush may not have sent: ours returns when it has.
    config.IPythonKernel._execute_sleep = 0.0  # noqa: SLF001 - it is a setting all the same
