"""Jupyter's messages as bytes on a channel: taken apart, signed, put together.

A message is `[identities…, <IDS|MSG>, signature, header, parent, metadata, content,
buffers…]` (https://jupyter-client.readthedocs.io/en/stable/messaging.html). The signature
covers the four JSON parts. Its key lies between the clients and the guard and never goes inside.
There messages are not signed: user code could read any key that the kernel has, so that a
signature would prove nothing, and making and checking one takes as long as reading the message.
What crosses the wall is signed or checked on this side; what nobody needs to read stays the
bytes that it was.
"""

import hashlib
import hmac
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import is_not
from typing import Any, NamedTuple

from sandbox_kernel.host.parts import json_bytes
from sandbox_kernel.wire import Part

DELIMITER = b"<IDS|MSG>"
PROTOCOL_VERSION = "5.4"
EMPTY = b"{}"

JOINED = 16 << 10
"""Bytes of a message below which it is signed in one call: four times as fast as part by part."""

BESIDE = 4 << 20
"""Bytes of a content from which on it is signed while it is read: twenty times what a thread costs."""


class MalformedMessageError(Exception):
    """Bytes that are no Jupyter message, or whose signature is wrong."""


class RawMessage(NamedTuple):
    """One message; the JSON parts still unread. A tuple, for two are made of each message."""

    identities: tuple[bytes, ...]
    signature: bytes
    header: bytes
    parent: bytes
    metadata: bytes
    content: Part
    buffers: tuple[Part, ...] = ()

    @classmethod
    def from_parts(cls, parts: Sequence[Part]) -> "RawMessage":
        """Take a multipart message apart.

        :raises MalformedMessageError: no delimiter, or too few parts behind it.
        """
        try:
            at = parts.index(DELIMITER)
        except ValueError:
            raise MalformedMessageError("a message without a delimiter") from None
        if len(parts) < at + 6:
            raise MalformedMessageError("a message with parts missing")
        identities = tuple(map(bytes, parts[:at]))
        signature, header, parent, metadata = map(bytes, parts[at + 1 : at + 5])
        return cls(identities, signature, header, parent, metadata, parts[at + 5], tuple(parts[at + 6 :]))

    @property
    def signed_parts(self) -> tuple[bytes, bytes, bytes, Part]:
        """What the signature covers, in its order."""
        return self.header, self.parent, self.metadata, self.content

    @property
    def size(self) -> int:
        """Bytes of all that the sender chose freely."""
        size = len(self.header) + len(self.parent) + len(self.metadata) + len(self.content)
        return size + sum(map(len, self.buffers)) if self.buffers else size

    def parts(self, signature: bytes = b"") -> tuple[Part, ...]:
        """Return the message as multipart bytes with this signature, whatever its own was."""
        return (*self.identities, DELIMITER, signature, *self.signed_parts, *self.buffers)


class Signer:
    """Signs and checks with one HMAC-SHA256 key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hmac = hmac.new(key, digestmod=hashlib.sha256)

    def sign(self, message: RawMessage) -> bytes:
        """Return the hex digest that the message should carry."""
        if message.size < JOINED:
            return hmac.digest(self._key, b"".join(message.signed_parts), "sha256").hex().encode()
        digest = self._hmac.copy()
        _update(digest, message)
        return digest.hexdigest().encode()

    @contextmanager
    def signing(self, message: RawMessage, *, soon: bool = True) -> Iterator[Callable[[RawMessage], bytes]]:
        """Give what returns a message's signature; begin to make that of a long one in another thread.

        :param soon: whether to begin; not where another message will be signed in the end.
        """
        thread = None
        if soon and len(message.content) >= BESIDE:
            digest = self._hmac.copy()
            thread = threading.Thread(target=_update, args=(digest, message), name="sandbox-signing")
            thread.start()

        def signature(asked: RawMessage) -> bytes:
            if thread is None or any(map(is_not, asked.signed_parts, message.signed_parts)):
                return self.sign(asked)
            thread.join()
            return digest.hexdigest().encode()

        try:
            yield signature
        finally:
            if thread is not None:
                thread.join()

    def check(self, message: RawMessage) -> None:
        """Do nothing if the message carries the right signature.

        :raises MalformedMessageError: it does not.
        """
        if not hmac.compare_digest(self.sign(message), message.signature):
            raise MalformedMessageError("a message with a wrong signature")

    def parts(self, message: RawMessage) -> tuple[Part, ...]:
        """Return the message as multipart bytes, signed with this key."""
        return message.parts(self.sign(message))


def _update(digest: hmac.HMAC, message: RawMessage) -> None:
    for part in message.signed_parts:
        digest.update(part)


def compose(
    msg_type: str,
    content: Mapping[str, Any],
    *,
    parent: bytes = EMPTY,
    identities: tuple[bytes, ...] = (),
    session: str = "",
    metadata: bytes = EMPTY,
) -> RawMessage:
    """Return a message of our own, unsigned; `parent` is the header that it answers, as bytes."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": msg_type,
        "username": "sandbox-kernel",
        "session": session or "sandbox-kernel",
        "date": datetime.now(UTC).isoformat(),
        "version": PROTOCOL_VERSION,
    }
    return RawMessage(
        identities=identities,
        signature=b"",
        header=json_bytes(header),
        parent=parent,
        metadata=metadata,
        content=json_bytes(content),
    )
