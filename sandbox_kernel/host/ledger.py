"""The requests that a kernel still owes an answer.

What a reply may answer, whom it may reach and when a cell has run too long is decided from
this ledger, which only clients can write: a kernel can forge any message, but not a request.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox_kernel.wire import Channel, Part

MAX_OPEN = 10_000
"""Requests remembered at once: "Run All" on the largest notebooks queues hundreds."""


@dataclass(slots=True)
class Request:
    """One request that has crossed to the kernel."""

    msg_id: str
    msg_type: str
    channel: Channel
    identities: tuple[bytes, ...]
    header: bytes
    allow_stdin: bool = False
    held_idle: tuple[Part, ...] | None = None
    """The kernel says that it is idle, but the reply has not come: not passed on yet."""

    @property
    def executes(self) -> bool:
        """Whether it runs user code."""
        return self.msg_type == "execute_request"


class Ledger:
    """Open requests in the order in which they crossed."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Request] = OrderedDict()
        self._owed: OrderedDict[str, bool | None] = OrderedDict()

    def enter(self, request: Request) -> None:
        """Remember a request; the oldest gives way beyond MAX_OPEN."""
        self._open[request.msg_id] = request
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)

    def find(self, msg_id: str) -> Request | None:
        """Return the open request with that id."""
        return self._open.get(msg_id)

    def settle(self, request: Request) -> None:
        """Forget a request that was answered."""
        self._open.pop(request.msg_id, None)

    def executing(self) -> Iterator[Request]:
        """Yield the open execute requests, the running one first."""
        return (request for request in self._open.values() if request.executes)

    def running(self) -> Request | None:
        """Return the execute request that the kernel is at, if any."""
        return next(self.executing(), None)

    def answerable(self, channel: Channel, msg_type: str, msg_id: str) -> Request | None:
        """Return the request that such a reply would answer, or None if nobody asked."""
        request = self._open.get(msg_id)
        if request is None or request.channel is not channel:
            return None
        return request if request.msg_type.removesuffix("request") + "reply" == msg_type else None

    def owe_idle(self, msg_id: str) -> None:
        """Note that the kernel must say once that it is done with this message."""
        self._owed[msg_id] = None
        if len(self._owed) > MAX_OPEN:
            self._owed.popitem(last=False)

    def owes_idle(self, msg_id: str) -> bool:
        """Return whether the kernel has yet to say that it is done with this message."""
        return msg_id in self._owed

    def take_idle(self, msg_id: str) -> bool:
        """Return whether this is the one idle that a client's message is owed, whatever the budget."""
        return self._owed.pop(msg_id, False) is None
