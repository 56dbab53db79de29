"""What the guard says itself: composed, signed, and addressed to clients."""

from typing import NamedTuple

from sandbox_kernel.host.jupyter import EMPTY, RawMessage, Signer, compose
from sandbox_kernel.host.ledger import Request
from sandbox_kernel.host.parts import Json
from sandbox_kernel.wire import Channel, Part


class ToGuest(NamedTuple):
    """Parts to send into the sandbox."""

    channel: Channel
    parts: tuple[Part, ...]


class ToClient(NamedTuple):
    """Parts to send to a client (or, on iopub, to all that listen)."""

    channel: Channel
    parts: tuple[Part, ...]


Action = ToGuest | ToClient


class Speech:
    """Speaks with the outer key, on the topic that the kernel publishes on."""

    def __init__(self, signer: Signer) -> None:
        self.topic: tuple[bytes, ...] = (b"kernel.sandbox",)
        self._signer = signer

    def welcome(self, topic: bytes) -> ToClient:
        """Return the iopub_welcome for a client that has subscribed to that topic."""
        content = {"subscription": topic.decode(errors="replace")}
        return self._to_client(
            Channel.IOPUB, compose("iopub_welcome", content, identities=(topic,) if topic else ())
        )

    def publish(self, msg_type: str, content: Json, parent: bytes = EMPTY) -> ToClient:
        """Return a message to all, under the request whose header is the parent."""
        return self._to_client(
            Channel.IOPUB, compose(msg_type, content, parent=parent, identities=self.topic)
        )

    def notice(self, sentence: str, parent: bytes, *, apart: bool = False) -> ToClient:
        """Return the sentence as standard error of the cell whose header is the parent.

        :param apart: begin on a new line, for a cell that is in the middle of its own.
        """
        text = "\n" * apart + f"[sandbox] {sentence}\n"
        return self.publish("stream", {"name": "stderr", "text": text}, parent)

    def status(self, state: str, parent: bytes) -> ToClient:
        """Return that the kernel is busy with that request, or idle."""
        return self.publish("status", {"execution_state": state}, parent)

    def reply(self, request: Request, content: Json) -> ToClient:
        """Return the reply to a request, to who asked."""
        msg_type = request.msg_type.removesuffix("request") + "reply"
        raw = compose(msg_type, content, parent=request.header, identities=request.identities)
        return self._to_client(request.channel, raw)

    def _to_client(self, channel: Channel, raw: RawMessage) -> ToClient:
        return ToClient(channel, self._signer.parts(raw))


def error(name: str, sentence: str) -> Json:
    """Return the content of an error that is ours."""
    return {"ename": name, "evalue": sentence, "traceback": [f"\x1b[31m{name}\x1b[39m: {sentence}"]}
