"""Every rule for the messages that cross the wall, and no I/O.

Feed it what a client or the guest has sent; it returns what is to be sent on, and to whom.
What comes out of a sandbox is hostile: user code can say whatever its kernel can. So each
message is read, checked against the requests that were really made, repaired to what clients
can hold, and charged to a budget.

What a guard holds, whatever its kernel sends, is one message under way, the ledger (which
clients write) and the budget's few numbers.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from sandbox_kernel.host.admission import OVER_LIMIT, Admission
from sandbox_kernel.host.advice import advice
from sandbox_kernel.host.budget import Budget
from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.endings import Endings
from sandbox_kernel.host.heartbeat import Heartbeat
from sandbox_kernel.host.hooks import Filter, Observer
from sandbox_kernel.host.hygiene import MAX_HEADER
from sandbox_kernel.host.jupyter import MalformedMessageError, RawMessage, Signer
from sandbox_kernel.host.ledger import Ledger, Request
from sandbox_kernel.host.parts import Json, UncleanMessageError
from sandbox_kernel.host.publication import Publication
from sandbox_kernel.host.reading import Envelope, Reader
from sandbox_kernel.host.secrets.masks import Masks
from sandbox_kernel.host.speech import Action, Speech, ToClient, ToGuest, error
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import MAX_PARTS, Channel, Message, Oversized, Part

__all__ = ["Action", "Guard", "ToClient", "ToGuest", "ViolationError"]

log = logging.getLogger(__name__)

MAX_REFUSED = 10_000
"""Messages that may break a rule before the sandbox is ended: a kernel in order sends none."""

MAX_REPLY = 16 << 20
"""Bytes of a reply: a long history or an object's whole documentation has a few."""

FREE_REPLY = 256 << 10
"""Bytes of a reply that are not charged to the cell that runs: its client has asked for them."""

LOST = "ReplyLost", "The kernel went on without answering this cell."
"""Name and sentence of the error in place of a reply that did not come, and will not."""


class ViolationError(Exception):
    """The kernel broke the rules too often to be listened to any longer."""


class Guard:
    """The rules for one kernel. Not thread-safe: the tunnel's thread owns it."""

    def __init__(
        self,
        policy: Policy,
        *,
        outer: bytes,
        filters: Sequence[Filter] = (),
        observer: Observer | None = None,
        masks: Masks | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = Ledger()
        self.budget = Budget(policy, now)
        self.shutdown_requested = False
        self.kernel_ready = False
        """Set by the owner once the kernel answers itself."""
        self.refused = 0
        """Messages of the guest that broke a rule and were not passed on."""
        self.before_reply: Callable[[], Iterable[str]] = tuple
        """Asked when a cell has been answered, for sentences that its user should read."""
        self.on_limit: Callable[[str], None] = lambda _: None
        """Told why a cell was not let in that is over a limit of the policy, before its client is."""
        self.on_loss: Callable[[str], None] = lambda _: None
        """Told what a cell's output has lost, before clients hear that the cell is idle."""
        self._policy = policy
        self._observer = observer or Observer()
        signer = Signer(outer)
        self._speech = Speech(signer)
        self._admission = Admission(policy, self.ledger, outer=signer, observer=self._observer)
        self._reader = Reader(self.ledger, outer=signer, filters=filters, masks=masks)
        self._endings = Endings(self.ledger, self.budget, self._speech, self._observer, self._lost)
        self._publication = Publication(
            policy,
            self.ledger,
            self.budget,
            reader=self._reader,
            speech=self._speech,
            endings=self._endings,
        )
        self._death: Death | None = None
        self._info: Json = {"status": "ok", "language_info": {"name": "python", "file_extension": ".py"}}
        """What the kernel said of itself last."""
        self._heartbeat = Heartbeat()

    def _lost(self, what: str) -> None:
        self.on_loss(what)  # which its owner may have set since

    # From the clients, who are trusted with the key but not to be right.

    def from_client(self, channel: Channel, parts: Sequence[Part]) -> Iterator[Action]:
        """Yield what a client's message leads to."""
        if len(parts) > MAX_PARTS:
            log.warning(
                "A client sent a message in %s parts on %s; it was dropped.", len(parts), channel.name
            )
            return
        if channel is Channel.HEARTBEAT:
            yield from self._heartbeat.from_client(tuple(parts), kernel_ready=self.kernel_ready)
            return
        try:
            raw = RawMessage.from_parts(parts)
            request = self._admission.read(channel, raw)
        except (MalformedMessageError, UncleanMessageError) as broken:
            log.warning("A client sent %s on %s; it was dropped.", broken, channel.name)
            return
        if self._death:
            yield from self._answer_for_the_dead(request, self._death)
            return
        if request.executes and (refusal := self._admission.refusal(request, raw)):
            if refusal[0] == OVER_LIMIT:
                self.on_limit(refusal[1])
            yield self._speech.status("busy", request.header)
            yield from self._endings.fail(request, *refusal)
            return
        if request.msg_type != "input_reply":
            self.ledger.enter(request)
        self.shutdown_requested |= request.msg_type == "shutdown_request"
        yield ToGuest(channel, raw.parts())

    # From the guest, who is hostile.

    def from_guest(self, message: Message | Oversized) -> Iterator[Action]:
        """Yield what a message out of the sandbox leads to; a broken one leads to nothing.

        :raises ViolationError: it was one broken message too many.
        """
        if isinstance(message, Oversized):
            yield from self._oversized(message)
        elif message.channel is Channel.HEARTBEAT:
            yield from self._heartbeat.from_guest(message)
        else:
            try:
                yield from self._route(message.channel, self._reader.open(message))
            except MalformedMessageError as refusal:
                self._refuse(f"{refusal} on {message.channel.name}")
            except UncleanMessageError as refusal:
                self._refuse(f"{refusal} on {message.channel.name}")
                if message.channel is Channel.IOPUB:
                    yield from self._publication.tell_once(
                        "unclean", f"An output is not shown: it has {refusal}."
                    )

    def _refuse(self, what: str) -> None:
        self.refused += 1
        self._observer.refused(what)
        if self.refused <= 10:
            log.info("The kernel sent %s; it was dropped.", what)
        if self.refused > MAX_REFUSED:
            many = f"more than {MAX_REFUSED} messages that break the rules"
            raise ViolationError(f"Killed: the kernel sent {many}, at last {what}.")

    def _route(self, channel: Channel, read: Envelope) -> Iterator[Action]:
        if channel is Channel.IOPUB:
            yield from self._publication.take(read, farewell=self.shutdown_requested)
        elif channel is Channel.STDIN:
            yield from self._asks(read)
        else:
            yield from self._replies(channel, read)

    # Asked and replied

    def _asks(self, read: Envelope) -> Iterator[Action]:
        request = read.request
        if read.msg_type != "input_request" or request is None or not request.allow_stdin:
            raise MalformedMessageError("a question that nobody allowed")
        if request.answered is not None:
            raise MalformedMessageError("a question of a cell that has ended")
        if not self.budget.charge(read.raw.size):
            raise MalformedMessageError("more questions than the output budget holds")
        sealed = self._reader.seal(read, identities=request.identities)
        request.questions += 1
        yield ToClient(Channel.STDIN, sealed.parts)

    def _replies(self, channel: Channel, read: Envelope) -> Iterator[Action]:
        request = self.ledger.answerable(channel, read.msg_type, read.parent_id)
        if request is None:
            raise MalformedMessageError("a reply that nobody waits for")
        yield from self._answer_for_what_was_passed_over(request)
        size = read.raw.size
        if size > MAX_REPLY or (size > FREE_REPLY and not self.budget.charge(size)):
            yield from self._reply_too_large(request, size)
            return
        try:
            sealed = self._reader.seal(read, identities=request.identities)
        except UncleanMessageError as unclean:  # the kernel is done with it, and the client must not wait
            self._refuse(f"{unclean} in a reply")
            yield from self._endings.answer(request, "UnusableReply", f"The kernel's reply has {unclean}.")
            return
        if sealed.grown > FREE_REPLY and not self.budget.charge(sealed.grown):
            yield from self._reply_too_large(request, size + sealed.grown)
            return
        status = str(sealed.content.get("status", ""))
        if request.executes:
            for sentence in (*self.before_reply(), *advice(self._policy, sealed.content)):
                yield self._speech.notice(sentence, request.header)
            if request.deadline and status != "error":  # it swallowed the interrupt, and came to its end
                yield from self._endings.answer(request, "DeadlinePassed", request.deadline)
                return
        if request.msg_type == "kernel_info_request" and size <= MAX_HEADER:
            self._info = sealed.content
        self._endings.answered(request, status)
        yield ToClient(channel, sealed.parts)
        if request.held_idle:
            yield from self._endings.pass_idle(request, request.held_idle)

    def _answer_for_what_was_passed_over(self, request: Request) -> Iterator[Action]:
        """Yield replies to earlier cells whose own will not come: a kernel takes its cells in turn.

        Left open, such a cell would have its client wait, and the deadline of a cell pass on an idle kernel.
        """
        for earlier in self.ledger.before(request) if request.executes else ():
            if earlier.answered is None:
                passed = earlier.deadline and ("DeadlinePassed", earlier.deadline)
                yield from self._endings.answer(earlier, *(passed or LOST))

    def _reply_too_large(self, request: Request, size: int) -> Iterator[Action]:
        self._refuse(f"a reply of {size} bytes")
        sentence = f"The kernel's reply of {format_size(size)} was not let through."
        yield from self._endings.answer(request, "ReplyTooLarge", sentence)

    def _oversized(self, message: Oversized) -> Iterator[Action]:
        if message.channel is Channel.IOPUB:
            self._refuse(f"a message of {message.size} bytes in {message.parts} parts")
            yield from self._publication.too_large(message.size)
            return
        request = self.ledger.waiting(message.channel)
        if request:
            yield from self._reply_too_large(request, message.size)
        else:
            self._refuse(f"a message of {message.size} bytes on {message.channel.name}")

    # What the guard itself has to say.

    def welcome(self, topic: bytes) -> ToClient:
        """Return the iopub_welcome for a client that has subscribed to that topic."""
        return self._speech.welcome(topic)

    def interrupted(self, msg_id: str | None, sentence: str) -> None:
        """Note that a deadline has passed and the kernel is interrupted: for one cell, or all that run.

        Such a cell ends in an error that says so, whatever it makes of the interrupt.
        """
        for cell in self.ledger.lanes():
            if msg_id in (None, cell.msg_id):
                cell.deadline = sentence

    def last_words(self, death: Death) -> Iterator[ToClient]:
        """Yield what tells the clients of open cells why there will be no more.

        Where no cell is open, the last one that there was says it. From then on the guard answers
        what clients still ask.
        """
        self._death, self.kernel_ready = death, False
        running = self.ledger.running()
        if running is None and self.ledger.last_cell:
            yield self._speech.notice(death.sentence, self.ledger.last_cell)
        for cell in list(self.ledger.open_cells()):
            if cell is running:
                yield from self._endings.fail(cell, death.error_name, death.sentence)
            elif cell.answered is None:
                yield from self._endings.finish(cell, {"status": "aborted"})
            else:
                yield from self._endings.end(cell)

    def _answer_for_the_dead(self, request: Request, death: Death) -> Iterator[Action]:
        """Yield why there is no answer; papermill asks who the kernel is when its last cell has failed."""
        self.shutdown_requested |= request.msg_type == "shutdown_request"
        if request.executes:
            yield self._speech.status("busy", request.header)
            yield from self._endings.fail(request, death.error_name, death.sentence)
        elif request.msg_type.endswith("_request"):
            own = {"kernel_info_request": self._info, "shutdown_request": {"status": "ok", "restart": False}}
            told = own.get(request.msg_type) or {"status": "error", **error(death.error_name, death.sentence)}
            yield self._speech.reply(request, told)
            yield self._speech.status("idle", request.header)
