"""What the clients have sent, and what the kernel still owes them for it.

What a reply may answer, whom it may reach, what output may say that it belongs to and when a
cell has run too long is decided from this ledger, which only clients can write: a kernel can
forge any message, but not a request.

Each message is owed one idle, each request one reply before it. A cell is never forgotten
before it has had both; other messages are, beyond MAX_OPEN: a kernel that never answers must
not fill the host's memory with questions.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import takewhile

from msgspec import Struct

from sandbox_kernel.wire import Channel, Part

MAX_OPEN = 10_000
"""Cells, and as many other messages, that wait at once: "Run All" on large notebooks queues hundreds."""

MAX_PAST = 4 << 20
"""Bytes of headers of answered messages: some ten thousand, whose output may still come from threads."""

_OVERHEAD = 200
"""Bytes that an entry costs beside its header."""


class Request(Struct, eq=False):
    """One message of a client that has crossed to the kernel."""

    msg_id: str
    msg_type: str
    channel: Channel
    identities: tuple[bytes, ...]
    header: bytes
    subshell: str = ""
    allow_stdin: bool = False
    questions: int = 0
    """How often the kernel has asked its user, less the answers."""
    deadline: str | None = None
    """The sentence on the deadline at which the guard has interrupted it."""
    answered: str | None = None
    """The status of the reply that its client got; "" if none is owed."""
    idled: bool = False
    """Whether clients were told that the kernel is done with it."""
    held_idle: tuple[Part, ...] | None = None
    """The kernel says that it is idle, but the reply has not come: not passed on yet."""

    @property
    def executes(self) -> bool:
        """Whether it runs user code."""
        return self.msg_type == "execute_request"

    @property
    def beside(self) -> bool:
        """Whether it waits for no cell of the main shell."""
        return bool(self.subshell) or self.channel is not Channel.SHELL


class Ledger:
    """The clients' messages in the order in which they crossed.

    Ids are the clients' choice, and jupyter_client's clones of a session choose the same ones: a
    shutdown may have the id of a cell that runs.
    """

    def __init__(self) -> None:
        self.last_cell = b""
        """The header of the cell that was entered last."""
        self._cells: OrderedDict[str, Request] = OrderedDict()
        self._others: OrderedDict[tuple[Channel, str], Request] = OrderedDict()
        self._beside = 0
        """Open cells that do not wait in the main shell."""
        self._past: OrderedDict[str, bytes] = OrderedDict()
        self._past_size = 0

    @property
    def full(self) -> bool:
        """Whether no more cells can be remembered."""
        return len(self._cells) >= MAX_OPEN

    def enter(self, request: Request) -> None:
        """Remember a message; of those that are no cells the oldest gives way beyond MAX_OPEN."""
        if request.executes:
            self._cells[request.msg_id] = request
            self._beside += request.beside
            self.last_cell = request.header
            return
        self._others[request.channel, request.msg_id] = request
        if len(self._others) > MAX_OPEN:
            _, oldest = self._others.popitem(last=False)
            self._remember(oldest)

    def is_open_cell(self, msg_id: str) -> bool:
        """Return whether something is owed for a cell with that id."""
        return msg_id in self._cells

    def find(self, msg_id: str) -> Request | None:
        """Return the message with that id, if something is owed for it."""
        channels = (Channel.SHELL, Channel.CONTROL)
        others = (self._others.get((channel, msg_id)) for channel in channels)
        return self._cells.get(msg_id) or next(filter(None, others), None)

    def header(self, msg_id: str) -> bytes | None:
        """Return the header of a client's message, as the client sent it."""
        request = self.find(msg_id)
        return request.header if request else self._past.get(msg_id)

    def open_cells(self) -> Iterator[Request]:
        """Yield the cells for which something is owed."""
        return iter(self._cells.values())

    def executing(self) -> Iterator[Request]:
        """Yield the cells that were not answered, the running one first."""
        return (cell for cell in self._cells.values() if cell.answered is None)

    def running(self) -> Request | None:
        """Return the cell that the kernel is at, if any."""
        return next(self.executing(), None)

    def lanes(self) -> list[Request]:
        """Return the cells that run at the same time: the first of each channel and subshell.

        It is asked all the time, so the many that wait behind an ordinary one are not looked at.
        """
        if not self._beside:
            running = self.running()
            return [running] if running else []
        first: dict[tuple[Channel, str], Request] = {}
        for cell in self.executing():
            first.setdefault((cell.channel, cell.subshell), cell)
        return list(first.values())

    def before(self, cell: Request) -> list[Request]:
        """Return the open cells that were entered before this one, and run one after the other with it."""
        earlier = takewhile(lambda each: each is not cell, self._cells.values())
        return [each for each in earlier if (each.channel, each.subshell) == (cell.channel, cell.subshell)]

    def waiting(self, channel: Channel) -> Request | None:
        """Return the first request on a channel that has no reply yet."""
        requests = (*self._cells.values(), *self._others.values())
        return next((each for each in requests if each.channel is channel and each.answered is None), None)

    def answerable(self, channel: Channel, msg_type: str, msg_id: str) -> Request | None:
        """Return the request that such a reply would answer, or None if nobody asked."""
        cell = self._cells.get(msg_id) if msg_type == "execute_reply" else None
        request = cell or self._others.get((channel, msg_id))
        if request is None or request.channel is not channel or request.answered is not None:
            return None
        return request if request.msg_type.removesuffix("request") + "reply" == msg_type else None

    def answer(self, request: Request, status: str) -> None:
        """Note that the reply was passed on."""
        request.answered = status
        self._close_if_done(request)

    def idle(self, request: Request) -> None:
        """Note that the idle was passed on."""
        request.idled = True
        self._close_if_done(request)

    def _close_if_done(self, request: Request) -> None:
        if request.idled and request.answered is not None:
            if request.executes:
                closed = self._cells.pop(request.msg_id, None)
                self._beside -= closed is not None and closed.beside
            else:
                self._others.pop((request.channel, request.msg_id), None)
            self._remember(request)

    def _remember(self, request: Request) -> None:
        self._forget(self._past.pop(request.msg_id, None))
        self._past[request.msg_id] = request.header
        self._past_size += len(request.header) + _OVERHEAD
        while self._past_size > MAX_PAST:
            self._forget(self._past.popitem(last=False)[1])

    def _forget(self, header: bytes | None) -> None:
        if header is not None:
            self._past_size -= len(header) + _OVERHEAD
