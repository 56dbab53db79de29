"""What a kernel publishes, on its way to all its clients: which messages, how large, and how much of them."""

from collections.abc import Iterator

from sandbox_kernel.host.budget import Budget
from sandbox_kernel.host.endings import Endings
from sandbox_kernel.host.jupyter import EMPTY, MalformedMessageError
from sandbox_kernel.host.ledger import Ledger
from sandbox_kernel.host.parts import Json, read_object
from sandbox_kernel.host.reading import Envelope, Reader
from sandbox_kernel.host.speech import Action, Speech, ToClient
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import Channel

MAX_STATUS = 1 << 10
"""Bytes of a status beside its headers: a word. One is held for each cell that waits, maybe thousands."""

PUBLISHED = frozenset(
    (
        *("stream", "display_data", "update_display_data", "execute_result", "error", "clear_output"),
        *("status", "execute_input", "comm_open", "comm_msg", "comm_close", "debug_event", "shutdown_reply"),
    )
)
"""What a kernel may publish: the protocol's list. iopub_welcome is ours to send, per client."""

_OUTPUTS = frozenset(("display_data", "execute_result", "error"))


class Publication:
    """The rules for what one kernel publishes."""

    def __init__(
        self,
        policy: Policy,
        ledger: Ledger,
        budget: Budget,
        *,
        reader: Reader,
        speech: Speech,
        endings: Endings,
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._budget = budget
        self._reader = reader
        self._speech = speech
        self._endings = endings

    def take(self, read: Envelope, *, farewell: bool) -> Iterator[Action]:
        """Yield what a message leads to that the kernel has published.

        :param farewell: whether it was asked to go, and may say that it does.
        :raises MalformedMessageError: it may not publish such a message, or not now.
        :raises UncleanMessageError: its content cannot be passed on.
        """
        if read.msg_type not in PUBLISHED:
            raise MalformedMessageError("a message of a type that kernels do not publish")
        for held in self._reader.release(read):
            yield self._speech.publish("stream", held.content, held.parent)
        self._speech.topic = read.raw.identities[:1] or self._speech.topic
        if read.msg_type == "shutdown_reply" and not farewell:
            raise MalformedMessageError("a farewell that nobody asked for")
        if read.msg_type == "status":
            yield from self._status(read)
        elif read.raw.size > self._policy.message:
            yield from self.too_large(read.raw.size)
        elif not self._budget.charge(read.raw.size):
            yield from self._end_of_output(read)
        else:
            yield from self._pass_output(read)

    def _pass_output(self, read: Envelope) -> Iterator[Action]:
        sealed = self._reader.seal(read)
        self._budget.shown += sealed.grown
        if read.msg_type != "stream":  # of which clients keep the text alone
            self._budget.hold(sealed.containers)
        if not self._is_room_for(read.msg_type, sealed.content):
            self._budget.drop(read.raw.size)
            yield from self._end_of_output(read)
            return
        yield ToClient(Channel.IOPUB, sealed.parts)

    def _is_room_for(self, msg_type: str, content: Json) -> bool:
        if msg_type == "clear_output":
            self._budget.clear_outputs()
        if msg_type == "stream":
            return self._budget.add_output(content["name"])
        return msg_type not in _OUTPUTS or self._budget.add_output(msg_type)

    def _end_of_output(self, read: Envelope) -> Iterator[Action]:
        sentence = self._budget.notice()
        if sentence:
            yield self._speech.notice(sentence, self._source_of(read), apart=True)

    def _source_of(self, read: Envelope) -> bytes:
        """Return the header of the message that output belongs to; its reply may have overtaken it."""
        running = read.request or self._ledger.running()
        return running.header if running else self._ledger.header(read.parent_id) or EMPTY

    def too_large(self, size: int) -> Iterator[Action]:
        """Yield that an output of that size was dropped, and book it."""
        self._budget.drop(size)
        allowed = format_size(self._policy.message)
        yield from self.tell_once(
            "message",
            f"An output of {format_size(size)} is not shown: "
            f"the policy of this kernel allows messages of {allowed} ('message').",
        )

    def tell_once(self, what: str, sentence: str) -> Iterator[Action]:
        """Yield a sentence that the running cell, or else the last one, is told once."""
        running = self._ledger.running()
        cell = running.header if running else self._ledger.last_cell
        if cell and (told := self._budget.tell(what, sentence)):
            yield self._speech.notice(told, cell, apart=True)

    def _status(self, read: Envelope) -> Iterator[Action]:
        if read.raw.buffers or len(read.raw.metadata) + len(read.raw.content) > MAX_STATUS:
            raise MalformedMessageError(f"a status of {read.raw.size} bytes")
        content, _ = read_object(read.raw.content, "content")
        request = read.request
        if content.get("execution_state") != "idle" or not read.parent_id:
            if self._budget.charge(read.raw.size):
                yield ToClient(Channel.IOPUB, self._reader.seal(read).parts)
        elif request and not request.idled:  # one for each message, whatever the budget
            sealed = self._reader.seal(read).parts
            if request.executes and request.answered is None:
                request.held_idle = sealed
            else:
                yield from self._endings.pass_idle(request, sealed)
