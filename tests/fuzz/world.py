"""A guard between clients and a kernel that may do anything, and what must hold all the time.

Whatever is said to it: nothing but ViolationError is raised; every cell that was let in gets
exactly one reply and one idle, the idle last; no account passes more than its budget; and
whatever reaches a client is a message that jupyter_client and nbformat can hold, signed,
and the child of something that a client has sent.
"""

import json
from dataclasses import dataclass, field

import nbformat
import pytest
from jupyter_client.session import Session

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.admission import ASKED
from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.guard import Guard, ToClient, ToGuest
from sandbox_kernel.host.hooks import Filter
from sandbox_kernel.host.jupyter import EMPTY, RawMessage, Signer, compose
from sandbox_kernel.host.publication import PUBLISHED
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message, Oversized
from tests.host.messages import OUTER

POLICY = Policy(output=16 << 10, outputs=10, message=16 << 10, code=1 << 10, output_rate=16 << 10)
IDENTITIES = (b"one", b"two")
DEATH = Death("memory", "Killed: used too much.", ExitCode.LIMIT, -9)
OUTPUTS = ("stream", "display_data", "execute_result", "error")
REPLIES = {name.removesuffix("request") + "reply" for name in ASKED[Channel.CONTROL] | ASKED[Channel.SHELL]}
ALLOWED = {
    Channel.IOPUB: PUBLISHED,
    Channel.SHELL: REPLIES,
    Channel.CONTROL: REPLIES,
    Channel.STDIN: {"input_request"},
}


@dataclass
class Sent:
    """A message of a client that was let in, or a cell that was answered in the kernel's place."""

    header: bytes
    client: bytes
    channel: Channel
    msg_type: str
    replies: int = 0
    idles: int = 0

    @property
    def msg_id(self) -> str:
        return str(json.loads(self.header)["msg_id"])


@dataclass
class World:
    """Speak as a client or as the kernel; every answer of the guard is checked."""

    time: float = 0.0
    sent: list[Sent] = field(default_factory=list)
    passed: int = 0
    """Bytes of output in the current account."""
    filters: tuple[Filter, ...] = ()
    masks: Masks | None = None

    def __post_init__(self) -> None:
        self.guard = Guard(POLICY, outer=OUTER, now=lambda: self.time, filters=self.filters, masks=self.masks)
        self.session = Session(key=OUTER)

    # What may happen

    def ask(
        self, channel: Channel, msg_type: str, content: bytes, *, client: int = 0, again: int = -1
    ) -> None:
        """A client sends a message; with `again` one whose id was used before."""
        raw = compose(msg_type, {}, identities=(IDENTITIES[client % 2],))
        header = raw.header
        if self.sent and again >= 0:
            header = json.dumps(
                {**json.loads(header), "msg_id": self.sent[again % len(self.sent)].msg_id}
            ).encode()
        parts = Signer(OUTER).parts(RawMessage(raw.identities, b"", header, EMPTY, EMPTY, content, ()))
        actions = list(self.guard.from_client(channel, parts))
        if actions and msg_type != "input_reply":
            self.sent.append(Sent(header, raw.identities[0], channel, msg_type))
        self.check(actions)

    def ask_raw(self, channel: Channel, parts: list[bytes]) -> None:
        """A client sends anything."""
        self.check(list(self.guard.from_client(channel, parts)))

    def say(
        self,
        channel: Channel,
        msg_type: str,
        content: bytes,
        *,
        parent: int = -1,
        spoil: str = "",
        junk: bytes = b"",
        buffers: tuple[bytes, ...] = (),
    ) -> None:
        """The kernel sends a message, of which one part may be spoilt."""
        header = self.sent[parent % len(self.sent)].header if self.sent and parent >= 0 else EMPTY
        raw = compose(msg_type, {}, parent=header, identities=IDENTITIES[:1])
        fields = {name: getattr(raw, name) for name in RawMessage._fields}
        fields |= {"content": content, "buffers": buffers}
        if spoil:
            fields[spoil] = (junk,) if spoil == "identities" else junk
        broken = RawMessage(**fields)
        self.say_raw(channel, tuple(map(bytes, broken.parts(broken.signature))))

    def say_raw(self, channel: Channel, parts: tuple[bytes, ...]) -> None:
        """The kernel sends anything."""
        self.check(list(self.guard.from_guest(Message(channel, parts))))

    def say_too_much(self, channel: Channel, size: int) -> None:
        """The decoder reports a message that it did not hold."""
        self.check(list(self.guard.from_guest(Oversized(channel, size, 7))))

    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.time += seconds

    def interrupt(self) -> None:
        """A deadline passes."""
        self.guard.interrupted(None, "The deadline of 1 s for a cell passed.")

    def end(self) -> None:
        """The kernel dies; all that is owed is paid."""
        self.check(list(self.guard.last_words(DEATH)))
        for cell in self.cells():
            assert (cell.replies, cell.idles) == (1, 1), cell

    # What must hold

    def cells(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.msg_type == "execute_request"]

    def check(self, actions: list[ToClient | ToGuest]) -> None:
        for action in actions:
            if action.channel is Channel.HEARTBEAT:
                continue
            raw = RawMessage.from_parts(action.parts)
            if isinstance(action, ToGuest):
                assert raw.signature == b""
            else:
                self.check_message(action.channel, raw)

    def check_message(self, channel: Channel, raw: RawMessage) -> None:
        Signer(OUTER).check(raw)
        header, _, _, content = (read(part) for part in raw.signed_parts)
        assert header["msg_type"] in ALLOWED[channel]
        asked = [sent for sent in self.sent if sent.header == raw.parent]
        assert asked or raw.parent == EMPTY
        if channel is not Channel.IOPUB:
            assert raw.identities == (asked[-1].client,)
        self.as_clients_do(raw, header, content)
        self.keep_books(channel, raw, header, content, asked[-1:])

    def as_clients_do(self, raw: RawMessage, header: dict, content: dict) -> None:
        """Read it with jupyter_client, and keep it with nbformat."""
        _, parts = self.session.feed_identities(list(Signer(OUTER).parts(raw)))
        message = self.session.deserialize(parts)
        if header["msg_type"] in OUTPUTS:
            output = nbformat.v4.output_from_msg(message)
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
            json.dumps(output, allow_nan=False, ensure_ascii=False).encode()

    def keep_books(
        self, channel: Channel, raw: RawMessage, header: dict, content: dict, asked: list[Sent]
    ) -> None:
        """Keep the guard's books a second time."""
        msg_type = header["msg_type"]
        idle = msg_type == "status" and content["execution_state"] == "idle"
        for sent in asked:
            if channel is not Channel.IOPUB and msg_type != "input_request":
                sent.replies += 1
                assert sent.replies == 1
            if idle:
                sent.idles += 1
                if sent.msg_type == "execute_request":
                    assert (sent.idles, sent.replies) == (1, 1)
        if idle and asked:
            cells = any(sent.msg_type == "execute_request" for sent in asked)
            if cells or self.guard.ledger.running() is None:
                self.passed = 0
        elif channel is Channel.IOPUB and "-" in header["msg_id"]:  # the kernel's, not the guard's own
            self.passed += len(raw.content) + sum(map(len, raw.buffers))
            assert self.passed <= POLICY.output + POLICY.message


def read(part: bytes) -> dict:
    """Read JSON as strictly as any client does: an object, no NaN, no lone surrogate."""
    value = json.loads(part, parse_constant=pytest.fail)
    json.dumps(value, ensure_ascii=False).encode()
    assert isinstance(value, dict)
    return value
