"""Every rule for the messages that cross the wall, and no I/O.

Feed it what a client or the guest has sent; it returns what is to be sent on, and to whom.
What comes out of a sandbox is hostile: the kernel's key is in the hands of user code, so a
signature proves nothing but good order, and each message is read, checked against the
requests that were really made, repaired to what clients can hold, and charged to a budget.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sandbox_kernel.host.budget import Budget
from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.hooks import Cell, Filter, Observer
from sandbox_kernel.host.hygiene import (
    MAX_HEADER,
    MAX_METADATA,
    Json,
    UncleanMessageError,
    clean_header,
    json_bytes,
    read_object,
    shape,
)
from sandbox_kernel.host.jupyter import EMPTY, MalformedMessageError, RawMessage, Signer, compose
from sandbox_kernel.host.ledger import Ledger, Request
from sandbox_kernel.host.secrets.masks import Masks, Tail
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import Channel, Message, Oversized, Part

log = logging.getLogger(__name__)

MAX_IDENTITIES = 8
"""Routing parts before a message: a client has one, a proxy in front of it adds one."""

MAX_REFUSED = 10_000
"""Messages that may break a rule before the sandbox is ended: a kernel in order sends none."""

MAX_BEATS = 100
"""Heartbeats on their way at once: each client sends its next after the last has come back."""

PUBLISHED = frozenset(
    (
        *("stream", "display_data", "update_display_data", "execute_result", "error", "clear_output"),
        *("status", "execute_input", "comm_open", "comm_msg", "comm_close", "debug_event", "shutdown_reply"),
    )
)
"""What a kernel may publish: the protocol's list. iopub_welcome is ours to send, per client."""


@dataclass(frozen=True, slots=True)
class ToGuest:
    """Parts to send into the sandbox."""

    channel: Channel
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ToClient:
    """Parts to send to a client (or, on iopub, to all that listen)."""

    channel: Channel
    parts: tuple[Part, ...]


Action = ToGuest | ToClient


class ViolationError(Exception):
    """The kernel broke the rules too often to be listened to any longer."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A message of the guest of which only the small parts were read."""

    raw: RawMessage
    header: Json
    parent: Json

    @property
    def msg_type(self) -> str:
        return str(self.header["msg_type"])

    @property
    def parent_id(self) -> str:
        return str(self.parent.get("msg_id", ""))


class Guard:
    """The rules for one kernel. Not thread-safe: the tunnel's thread owns it."""

    def __init__(
        self,
        policy: Policy,
        *,
        outer: bytes,
        inner: bytes,
        filters: Sequence[Filter] = (),
        observer: Observer | None = None,
        masks: Masks | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.shutdown_requested = False
        self.kernel_ready = False
        """Set by the owner once the kernel answers itself."""
        self.refused = 0
        """Messages of the guest that broke a rule and were not passed on."""
        self.before_reply: Callable[[], Iterable[str]] = tuple
        """Asked when a cell has been answered, for sentences that its user should read."""
        self._policy = policy
        self._filters = tuple(filters)
        self._observer = observer or Observer()
        self._masks = masks or None  # without secrets nothing is searched
        self._tails = {name: Tail(masks) for name in ("stdout", "stderr")} if masks else {}
        self._tails_of: tuple[str, bytes] = ("", EMPTY)
        """Whose output is held back: the parent's id, and its header."""
        self._budget = Budget(policy.output)
        self._outer = Signer(outer)
        self._inner = Signer(inner)
        self._topic: tuple[bytes, ...] = (b"kernel.sandbox",)
        self._beats: deque[tuple[bytes, ...]] = deque(maxlen=MAX_BEATS)
        self._series = secrets.token_hex(4)
        self._passed = 0
        self._last_parent: tuple[bytes, Json] = (EMPTY, {})

    # From the clients, who are trusted with the key but not to be right.

    def from_client(self, channel: Channel, parts: Sequence[Part]) -> Iterator[Action]:
        """Yield what a client's message leads to."""
        if channel is Channel.HEARTBEAT:
            yield self._beat_of_client(tuple(parts))
            return
        try:
            raw = RawMessage.from_parts(parts)
            self._outer.check(raw)
            header, _ = read_object(raw.header, "a header", limit=MAX_HEADER)
            clean_header(header)
        except (MalformedMessageError, UncleanMessageError) as error:
            log.warning("A client sent %s on %s; it was dropped.", error, channel.name)
            return
        if header["msg_type"] == "execute_request" and len(raw.content) > self._policy.code:
            yield from self._refuse_code(channel, raw)
            return
        self._enter(channel, raw, header)
        yield ToGuest(channel, self._inner.parts(raw))

    def _beat_of_client(self, parts: tuple[Part, ...]) -> Action:
        if not self.kernel_ready:  # it starts, and a client that is early must not take it for dead
            return ToClient(Channel.HEARTBEAT, parts)
        self._beats.append(tuple(map(bytes, parts)))
        return ToGuest(Channel.HEARTBEAT, parts)

    def _enter(self, channel: Channel, raw: RawMessage, header: Json) -> None:
        msg_type: str = header["msg_type"]
        self.ledger.owe_idle(header["msg_id"])
        if msg_type == "shutdown_request":
            self.shutdown_requested = True
        if msg_type.endswith("_request"):
            request = Request(header["msg_id"], msg_type, channel, raw.identities, raw.header)
            if request.executes:
                self._note_cell(request, raw)
            self.ledger.enter(request)

    def _note_cell(self, request: Request, raw: RawMessage) -> None:
        try:
            content, _ = read_object(raw.content, "content")
        except UncleanMessageError:  # the kernel will not run it either
            content = {"allow_stdin": False}
        request.allow_stdin = content.get("allow_stdin", True) is True  # the protocol's default
        self._observer.cell_asked(request, str(content.get("code", "")))

    def _refuse_code(self, channel: Channel, raw: RawMessage) -> Iterator[Action]:
        sentence = (
            f"This cell has {format_size(len(raw.content))} of code; "
            f"the policy of this kernel allows {format_size(self._policy.code)} ('code')."
        )
        request = Request("", "execute_request", channel, raw.identities, raw.header)
        yield self._publish("status", {"execution_state": "busy"}, request)
        yield from self._fail(request, "CodeTooLarge", sentence)

    # From the guest, who is hostile.

    def from_guest(self, message: Message | Oversized) -> Iterator[Action]:
        """Yield what a message out of the sandbox leads to; a broken one leads to nothing.

        :raises ViolationError: it was one broken message too many.
        """
        if isinstance(message, Oversized):
            yield from self._oversized(message)
        elif message.channel is Channel.HEARTBEAT:
            yield from self._beat(message)
        else:
            try:
                yield from self._route(message.channel, self._open(message))
            except (MalformedMessageError, UncleanMessageError) as error:
                self._refuse(f"{error} on {message.channel.name}")

    def _refuse(self, what: str) -> None:
        self.refused += 1
        self._observer.refused(what)
        if self.refused <= 10:
            log.info("The kernel sent %s; it was dropped.", what)
        if self.refused > MAX_REFUSED:
            raise ViolationError(f"more than {MAX_REFUSED} messages that break the rules, at last {what}")

    def _beat(self, message: Message) -> Iterator[Action]:
        parts = tuple(map(bytes, message.parts[:4]))
        if len(message.parts) <= 4 and parts in self._beats:  # the echo of what a client sent, to the byte
            self._beats.remove(parts)
            yield ToClient(message.channel, parts)

    def _open(self, message: Message) -> _Envelope:
        """Read the small parts: they decide whether the large ones are worth reading."""
        raw = RawMessage.from_parts(message.parts)
        if len(raw.identities) > MAX_IDENTITIES or any(len(part) > 255 for part in raw.identities):
            raise MalformedMessageError("a message with a strange address")
        header, _ = read_object(raw.header, "a header", limit=MAX_HEADER)
        return _Envelope(raw, clean_header(header), self._parent_of(raw))

    def _parent_of(self, raw: RawMessage) -> Json:
        """Read the parent header, unless it is the one of the message before: outputs come in long rows."""
        if raw.parent != self._last_parent[0]:
            parent, _ = read_object(raw.parent, "a parent header", limit=MAX_HEADER)
            self._last_parent = raw.parent, clean_header(parent) if parent else {}
        return self._last_parent[1]

    def _sealed(self, read: _Envelope, *, identities: tuple[bytes, ...] | None = None) -> tuple[Part, ...]:
        """Read the rest of a message and return it as clients get it: clean, signed, never twice the same."""
        raw = read.raw
        self._inner.check(raw)
        notes, metadata = read_object(raw.metadata, "metadata", limit=MAX_METADATA)
        content, content_bytes = read_object(raw.content, "content")
        request = self.ledger.find(read.parent_id)
        parent = request.header if request else json_bytes(read.parent)
        shaped = shape(read.msg_type, content)
        if self._masks:
            raw = replace(raw, buffers=tuple(map(self._masks.buffer, raw.buffers)))
            metadata = json_bytes(self._masks.json(notes))
            shaped = self._masked(self._masks, read, shaped, parent)
        shaped = self._filtered(read.msg_type, shaped)
        self._passed += 1
        clean = replace(
            raw,
            identities=raw.identities if identities is None else identities,
            header=json_bytes({**read.header, "msg_id": f"{self._series}-{self._passed}"}),
            parent=parent,
            metadata=metadata,
            content=content_bytes if shaped == content else json_bytes(shaped),
        )
        return self._outer.parts(clean)

    def _masked(self, masks: Masks, read: _Envelope, content: Json, parent: bytes) -> Json:
        """Return the content without known secrets; hold back the end of a stream that may be half of one."""
        if read.msg_type != "stream":
            clean: Json = masks.json(content)
            return clean
        self._tails_of = read.parent_id, parent
        return {**content, "text": self._tails[content["name"]].feed(content["text"])}

    def _release(self) -> Iterator[ToClient]:
        """Yield what was held back of streams: nothing that follows belongs to it."""
        for name, tail in self._tails.items():
            if text := tail.rest():
                stream = self._filtered("stream", {"name": name, "text": text})
                raw = compose("stream", stream, parent=self._tails_of[1], identities=self._topic)
                yield ToClient(Channel.IOPUB, self._outer.parts(raw))

    def _filtered(self, msg_type: str, content: Json) -> Json:
        for change in self._filters:
            content = change(msg_type, content)
        return content

    def _route(self, channel: Channel, read: _Envelope) -> Iterator[Action]:
        if channel is Channel.IOPUB:
            yield from self._published(read)
        elif channel is Channel.STDIN:
            yield from self._asks(read)
        else:
            yield from self._replies(channel, read)

    def _published(self, read: _Envelope) -> Iterator[Action]:
        if read.msg_type not in PUBLISHED:
            raise MalformedMessageError("a message of a type that kernels do not publish")
        if self._tails and (read.msg_type != "stream" or read.parent_id != self._tails_of[0]):
            yield from self._release()
        self._topic = read.raw.identities[:1] or self._topic
        if read.msg_type == "status" and read.raw.size <= MAX_HEADER:
            yield from self._status(read)
        elif self._budget.charge(read.raw.size):
            yield from self._pass_output(read)
        elif self._budget.notice_due():
            yield self._output_notice(self._source_of(read))

    def _source_of(self, read: _Envelope) -> bytes:
        """Return the header of the request that output belongs to; its reply may have overtaken it."""
        request = self.ledger.find(read.parent_id)
        if request is None and self.ledger.owes_idle(read.parent_id):
            return json_bytes(read.parent)
        return self._running(request)

    def _running(self, request: Request | None = None) -> bytes:
        request = request or self.ledger.running()
        return request.header if request else EMPTY

    def _pass_output(self, read: _Envelope) -> Iterator[Action]:
        sealed = self._sealed(read)
        request = self.ledger.find(read.parent_id)
        if request:  # more output: the idle that was said before it was not true
            request.held_idle = None
        yield ToClient(Channel.IOPUB, sealed)

    def _status(self, read: _Envelope) -> Iterator[Action]:
        content, _ = read_object(read.raw.content, "content")
        idle = content.get("execution_state") == "idle"
        request = self.ledger.find(read.parent_id)
        if request and request.executes and idle:
            request.held_idle = self._sealed(read)
        elif idle and self.ledger.take_idle(read.parent_id):
            yield self._pass_idle(self._sealed(read), read.parent_id)
        elif self._budget.charge(0):
            yield ToClient(Channel.IOPUB, self._sealed(read))

    def _pass_idle(self, sealed: tuple[Part, ...], msg_id: str) -> ToClient:
        """Return the one idle that a client's message is owed; with it the output of the message ends.

        The reply is no such end: it overtakes output that was published before it.
        """
        self._observer.output_ended(msg_id, self._budget.spent, self._budget.dropped)
        self._budget.open()
        return ToClient(Channel.IOPUB, sealed)

    def _asks(self, read: _Envelope) -> Iterator[Action]:
        request = self.ledger.find(read.parent_id)
        if read.msg_type != "input_request" or request is None or not request.allow_stdin:
            raise MalformedMessageError("a question that nobody allowed")
        if not self._budget.charge(read.raw.size):
            raise MalformedMessageError("more questions than the output budget holds")
        yield ToClient(Channel.STDIN, self._sealed(read, identities=request.identities))

    def _replies(self, channel: Channel, read: _Envelope) -> Iterator[Action]:
        request = self.ledger.answerable(channel, read.msg_type, read.parent_id)
        if request is None:
            raise MalformedMessageError("a reply that nobody waits for")
        sealed = self._sealed(read, identities=request.identities)
        if request.executes:
            reply, _ = read_object(read.raw.content, "content")
            for sentence in (*self.before_reply(), *self._advice(reply)):
                yield from self.notice(sentence)
            self._tell_end(request, str(reply.get("status")))
        self.ledger.settle(request)
        yield ToClient(channel, sealed)
        if request.held_idle and self.ledger.take_idle(request.msg_id):
            yield self._pass_idle(request.held_idle, request.msg_id)

    def _tell_end(self, request: Request, status: str) -> None:
        self._observer.cell_ended(Cell(request, status, self._budget.spent, self._budget.dropped))

    def _advice(self, reply: Json) -> Iterator[str]:
        """Yield whose limit an error of the cell may have met: Python's own words do not say.

        The kernel may make such an error up. What it gains is a true sentence about its policy.
        """
        name, words = reply.get("ename"), str(reply.get("evalue"))
        if name in ("MemoryError", "_ArrayMemoryError"):
            yield f"This kernel may use {format_size(self._policy.memory)} of memory ('memory')."
        elif (name == "BlockingIOError" and "Errno 11" in words) or "can't start new thread" in words:
            yield f"This kernel may have {self._policy.pids} processes and threads ('pids')."

    def _oversized(self, message: Oversized) -> Iterator[Action]:
        self._refuse(f"a message of {message.size} bytes on {message.channel.name}")
        if message.channel is Channel.IOPUB:
            self._budget.charge(message.size)
            if self._budget.notice_due():
                yield self._output_notice(self._running())
        running = self.ledger.running()
        if message.channel is Channel.SHELL and running:
            size = format_size(message.size)
            yield from self._fail(
                running, "ReplyTooLarge", f"The kernel's reply of {size} was not let through."
            )

    # What the guard itself has to say.

    def welcome(self, topic: bytes) -> ToClient:
        """Return the iopub_welcome for a client that has subscribed to that topic."""
        content = {"subscription": topic.decode(errors="replace")}
        raw = compose("iopub_welcome", content, identities=(topic,) if topic else ())
        return ToClient(Channel.IOPUB, self._outer.parts(raw))

    def notice(self, sentence: str) -> Iterator[ToClient]:
        """Yield the sentence as standard error of the running cell, if one runs."""
        running = self.ledger.running()
        if running:
            yield self._publish("stream", {"name": "stderr", "text": f"[sandbox] {sentence}\n"}, running)

    def last_words(self, death: Death) -> Iterator[ToClient]:
        """Yield what tells the clients of open cells why there will be no more."""
        yield from self._release()
        for number, request in enumerate(list(self.ledger.executing())):
            if number == 0:
                yield from self._fail(request, _NAMES.get(death.kind, "KernelDied"), death.sentence)
            else:
                yield from self._finish(request, {"status": "aborted"})

    def _output_notice(self, parent: bytes) -> ToClient:
        sentence = (
            f"The output of this cell is over the {format_size(self._policy.output)} that the policy of this "
            "kernel allows ('output'); the rest is not shown. The cell goes on."
        )
        content = {"name": "stderr", "text": f"\n[sandbox] {sentence}\n"}
        raw = compose("stream", content, parent=parent, identities=self._topic)
        return ToClient(Channel.IOPUB, self._outer.parts(raw))

    def _fail(self, request: Request, name: str, sentence: str) -> Iterator[ToClient]:
        error = {"ename": name, "evalue": sentence, "traceback": [f"\x1b[31m{name}\x1b[39m: {sentence}"]}
        yield self._publish("error", error, request)
        yield from self._finish(request, {"status": "error", "execution_count": None, **error})

    def _finish(self, request: Request, reply: Json) -> Iterator[ToClient]:
        self._tell_end(request, str(reply["status"]))
        self.ledger.settle(request)
        raw = compose("execute_reply", reply, parent=request.header, identities=request.identities)
        yield ToClient(request.channel, self._outer.parts(raw))
        yield self._publish("status", {"execution_state": "idle"}, request)

    def _publish(self, msg_type: str, content: Json, request: Request) -> ToClient:
        raw = compose(msg_type, content, parent=request.header, identities=self._topic)
        return ToClient(Channel.IOPUB, self._outer.parts(raw))


_NAMES = {
    "memory": "MemoryLimitReached",
    "deadline": "DeadlinePassed",
    "stopped": "KernelStopped",
    "protocol": "ProtocolViolation",
}
