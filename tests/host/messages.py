"""Messages as a client, or a hostile kernel, would put them on the wire."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox_kernel.host.guard import Action, Guard, ToClient
from sandbox_kernel.host.hooks import Filter, Observer
from sandbox_kernel.host.jupyter import RawMessage, Signer, compose
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message

OUTER = b"outer"


@dataclass
class Conversation:
    """A guard with a client on one side and a kernel on the other, no sockets between."""

    policy: Policy = field(default_factory=Policy)
    filters: tuple[Filter, ...] = ()
    observer: Observer | None = None
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.guard = Guard(
            self.policy,
            outer=OUTER,
            filters=self.filters,
            observer=self.observer,
            now=self.now,
        )

    def ask(self, msg_type: str, content: dict[str, Any], *, channel: Channel = Channel.SHELL) -> bytes:
        """Send a client's request; return its header, the parent of what follows."""
        raw = compose(msg_type, content, identities=(b"client",))
        self.last = Signer(OUTER).parts(raw)
        self.asked = list(self.guard.from_client(channel, self.last))
        return raw.header

    def execute(self, code: str = "1", **content: Any) -> bytes:
        """Send an execute_request; return its header."""
        return self.ask("execute_request", {"code": code, **content})

    def say(
        self,
        channel: Channel,
        msg_type: str,
        content: dict[str, Any] | bytes,
        parent: bytes = b"{}",
        **changes: Any,
    ) -> list[Action]:
        """Send what the kernel says; return what the guard makes of it."""
        raw = compose(msg_type, {}, parent=parent, identities=changes.pop("identities", (b"client",)))
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        fields = {name: getattr(raw, name) for name in RawMessage._fields} | {"content": body} | changes
        return list(self.guard.from_guest(Message(channel, RawMessage(**fields).parts())))

    def publish(
        self, msg_type: str, content: dict[str, Any] | bytes, parent: bytes = b"{}", **changes: Any
    ) -> list[Action]:
        """Send what the kernel publishes."""
        return self.say(Channel.IOPUB, msg_type, content, parent, **changes)


def told(actions: list[Action]) -> list[tuple[Channel, str, dict[str, Any]]]:
    """Return what clients were sent: channel, type, content; their signatures are checked."""
    result = []
    for action in actions:
        assert isinstance(action, ToClient)
        raw = RawMessage.from_parts(action.parts)
        Signer(OUTER).check(raw)
        result.append((action.channel, json.loads(raw.header)["msg_type"], json.loads(raw.content)))
    return result
