"""Reading what the guest has sent, in two steps, and writing what clients get of it.

The small parts come first: they decide whether the large ones are worth reading. What
clients get is clean, signed with their key, never twice the same, and belongs to a message
that a client has sent.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from sandbox_kernel.host.hooks import Filter
from sandbox_kernel.host.hygiene import MAX_HEADER, MAX_METADATA, clean_header, shape
from sandbox_kernel.host.jupyter import EMPTY, MalformedMessageError, RawMessage, Signer
from sandbox_kernel.host.ledger import Ledger, Request
from sandbox_kernel.host.parts import Json, json_bytes, read_counted, read_object
from sandbox_kernel.host.secrets.masks import Masks, Tail
from sandbox_kernel.wire import Message, Part

MAX_IDENTITIES = 8
"""Routing parts before a message: a client has one, a proxy in front of it adds one."""

LARGE = 256 << 10
"""Bytes of a message from which on it is read while no other sandbox of this process reads one.
To read JSON takes many times its bytes for a moment; one such moment at a time."""

READING = 16
"""Times its bytes that it takes to read such a message: one letter may make its text four bytes a letter."""

_reading_large = threading.Lock()


class Envelope(NamedTuple):
    """A message of the guest of which only the small parts were read."""

    raw: RawMessage
    header: Json
    parent_id: str
    request: Request | None
    """The client's message that it belongs to, if something is owed for that one."""

    msg_type: str
    """What it says it is."""


class Sealed(NamedTuple):
    """What clients get of a message, and the content in it."""

    parts: tuple[Part, ...]
    content: Json
    grown: int
    """Bytes by which repairs and filters have made it longer."""
    containers: int
    """Arrays and objects in it."""


class Held(Struct, frozen=True):
    """The end of a stream that was held back, and the header of the message that it belongs to."""

    content: Json
    parent: bytes


class Reader:
    """Reads what carries no signature and writes what carries the clients'."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        outer: Signer,
        filters: Sequence[Filter] = (),
        masks: Masks | None = None,
    ) -> None:
        self._ledger = ledger
        self._outer = outer
        self._filters = tuple(filters)
        self._masks = masks or None  # without secrets nothing is searched
        self._tails = {name: Tail(masks) for name in ("stdout", "stderr")} if masks else {}
        self._tails_of = ("", EMPTY)
        """Whose output is held back: the parent's id, and its header."""
        self._series = secrets.token_hex(4)
        self._passed = 0
        self._last_parent: tuple[bytes, str] = (EMPTY, "")

    def open(self, message: Message) -> Envelope:
        """Read the small parts.

        :raises MalformedMessageError: it is no message, is signed, or its address is strange.
        :raises UncleanMessageError: a header is none.
        """
        raw = RawMessage.from_parts(message.parts)
        if len(raw.identities) > MAX_IDENTITIES or any(len(part) > 255 for part in raw.identities):
            raise MalformedMessageError("a message with a strange address")
        if raw.signature:  # our kernels have no key
            raise MalformedMessageError("a message with a signature")
        header, _ = read_object(raw.header, "a header", limit=MAX_HEADER)
        if self._masks:
            header = self._masks.json(header)
            raw = raw._replace(identities=tuple(bytes(self._masks.buffer(part)) for part in raw.identities))
        parent_id = self._parent_of(raw)
        clean = clean_header(header)
        return Envelope(raw, clean, parent_id, self._ledger.find(parent_id), clean["msg_type"])

    def _parent_of(self, raw: RawMessage) -> str:
        """Read the parent's id, unless it is that of the message before: outputs come in long rows."""
        if raw.parent != self._last_parent[0]:
            parent, _ = read_object(raw.parent, "a parent header", limit=MAX_HEADER)
            self._last_parent = raw.parent, clean_header(parent)["msg_id"] if parent else ""
        return self._last_parent[1]

    def seal(self, read: Envelope, *, identities: tuple[bytes, ...] | None = None) -> Sealed:
        """Read the rest of a message and return it as clients get it.

        Its parent is a client's message, in that client's own words, or none at all.

        :raises UncleanMessageError: it cannot be repaired.
        """
        if len(read.raw.content) < LARGE:
            return self._written(read, identities)
        with _reading_large:
            return self._written(read, identities)

    def _written(self, read: Envelope, identities: tuple[bytes, ...] | None) -> Sealed:
        raw = read.raw
        notes, metadata = read_object(raw.metadata, "metadata", limit=MAX_METADATA)
        parent = self._ledger.header(read.parent_id) or EMPTY
        raw = RawMessage(
            identities=raw.identities if identities is None else identities,
            signature=b"",
            header=json_bytes({**read.header, "msg_id": f"{self._series}-{self._passed + 1}"}),
            parent=parent,
            metadata=bytes(metadata),
            content=raw.content,
            buffers=raw.buffers,
        )
        with self._outer.signing(raw, soon=not self._masks) as signature:
            content, content_bytes, containers = read_counted(raw.content, "content")
            shaped = shape(read.msg_type, content)
            if self._masks:
                raw = raw._replace(buffers=tuple(map(self._masks.buffer, raw.buffers)))
                raw = raw._replace(metadata=json_bytes(self._masks.json(notes)))
                shaped = self._masked(self._masks, read, shaped, parent)
            shaped = self._filtered(read, shaped)
            self._passed += 1
            # With masks the bytes are never the kernel's own: a name that comes twice hides its first value.
            clean = raw._replace(
                content=content_bytes if shaped == content and not self._masks else json_bytes(shaped)
            )
            grown = max(0, len(clean.content) - len(raw.content))
            return Sealed(clean.parts(signature(clean)), shaped, grown, containers)

    def _masked(self, masks: Masks, read: Envelope, content: Json, parent: bytes) -> Json:
        """Return the content without known secrets; hold back the end of a stream that may be half of one."""
        if read.msg_type != "stream":
            clean: Json = masks.json(content)
            return clean
        self._tails_of = read.parent_id, parent
        return {**content, "text": self._tails[content["name"]].feed(content["text"])}

    def release(self, read: Envelope) -> Iterator[Held]:
        """Yield what was held back of streams, unless this message may go on with it."""
        if read.msg_type == "stream" and read.parent_id == self._tails_of[0]:
            return
        for name, tail in self._tails.items():
            if text := tail.rest():
                content: Json = {"name": name, "text": text}
                for change in self._filters:
                    content = change("stream", content)
                yield Held(content, self._tails_of[1])

    def _filtered(self, read: Envelope, content: Json) -> Json:
        if read.request and read.request.deadline and read.msg_type in ("error", "execute_reply"):
            content = _explained(content, read.request.deadline)
        for change in self._filters:
            content = change(read.msg_type, content)
        return content


def _explained(content: Json, sentence: str) -> Json:
    """Return an error with a sentence on why it came about; anything else as it is.

    What Python says of an interrupt ("Interrupted by user") is left out: the user did not.
    """
    if "ename" not in content:
        return content
    own = "" if content["ename"] == "KeyboardInterrupt" else content["evalue"]
    why = " ".join(word for word in (own, sentence) if word)
    line = f"\x1b[31m{content['ename']}\x1b[39m: {why}"
    return {**content, "evalue": why, "traceback": [*content["traceback"], line]}
