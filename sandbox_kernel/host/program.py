"""Code behind the wall without a kernel: plain Python, run piece after piece, and what each came to.

The wall, the limits, the deadlines, the audit and the end are those of any sandbox; no client connects,
and nobody inside speaks Jupyter's messages. What comes out is as hostile as ever: bytes of two streams,
charged to the budget of a cell, and lines of JSON (see guest/program), of which a piece has so many bytes.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from marshal import dumps
from typing import Final, Literal

from msgspec import Struct, field
from msgspec.json import Decoder

from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.engines.base import SandboxProcess
from sandbox_kernel.host.guard import Action, Guard, ViolationError
from sandbox_kernel.host.hooks import Observer
from sandbox_kernel.host.ledger import Request
from sandbox_kernel.host.sandbox import Front, Sandbox
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.host.tunnel import Sockets, Tunnel
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import Channel, Message, Oversized, Start

MAX_ANSWER: Final = 4 << 20
"""Bytes of all lines that a piece answers with: a mebibyte of JSON, quoted, has two."""

MAX_SHOWN: Final = 100
"""Texts that one piece may show: it is asked for one."""

MAX_NAME, MAX_TEXT = 200, 10_000
"""Characters of an error's name and text."""

_OUT, _ERR, _ANSWERS = b"1", b"2", b"4"
_MARSHAL: Final = 2
"""The version of marshalled values that all Pythons read."""


class Ran(Struct, frozen=True):
    """What one piece of code came to. All of it was chosen by the code."""

    stdout: str
    stderr: str
    shown: tuple[str, ...]
    """What it has told apart from all that is printed."""
    error: tuple[str, str] | None
    """The name and the text of what it has raised."""
    compiled: bool = True
    """Whether it was run at all: False where it is no plain Python. Of the first piece this is known; of a
    later one it is what those before it have a process say."""
    loss: str | None = None
    """What its output lacks, and for which limit."""
    deadline: str | None = None
    """The sentence on the deadline at which it was interrupted."""


class _Said(Struct):
    """One line: what else it holds is passed over, and takes no memory."""

    shown: str | None = None
    begun: bool = False
    ended: Literal["ok", "error"] | None = None
    name: str = ""
    text: str = ""
    compiled: bool = True


_read_line: Final = Decoder(_Said).decode


class _Piece(Struct):
    """A piece of code on its way."""

    request: Request
    future: "Future[Ran | None]"
    streams: dict[bytes, bytearray] = field(default_factory=lambda: {_OUT: bytearray(), _ERR: bytearray()})
    shown: list[str] = field(default_factory=list)
    texts: int = 0
    """How many it has shown, those included for which there was no room."""
    begun: bool = False
    """Whether it was compiled: what is said from then on may be its own words."""


class ProgramGuard(Guard):
    """The rules for a process that is no kernel: what it says belongs to the piece that runs."""

    def __init__(self, policy: Policy, *, outer: bytes, observer: Observer | None, masks: Masks) -> None:
        super().__init__(policy, outer=outer, observer=observer, masks=masks)
        self.on_early: Callable[[str], None] = lambda _: None
        """Gets what is said before anything was asked: why it does not start."""
        self._hide = masks
        self._piece: _Piece | None = None
        self._line = bytearray()
        self._answered = 0
        """Bytes of answers since the last piece ended."""
        self._greeted = False
        """Whether the first line is there, which is empty."""
        self._numbers = count(1)

    def begin(self, code: str, future: "Future[Ran | None]") -> bool:
        """Note a piece that is about to be asked for; return whether it may be."""
        size = len(code.encode("utf-8", "surrogatepass"))
        if size > self._policy.code:
            allowed = format_size(self._policy.code)
            sentence = f"The code has {format_size(size)}; the policy allows {allowed} ('code')."
            future.set_result(Ran("", "", (), ("CodeTooLarge", sentence)))
            return False
        request = Request(f"piece-{next(self._numbers)}", "execute_request", Channel.SHELL, (), b"")
        self._piece = _Piece(request, future)
        self.ledger.enter(request)
        self._observer.cell_asked(request, code)
        return True

    def from_guest(self, message: Message | Oversized) -> Iterator[Action]:
        """Take what the process has said. Nothing of it goes to anybody but who has asked.

        :raises ViolationError: it was one broken message too many, or an answer without an end.
        """
        if isinstance(message, Oversized) or message.channel is not Channel.IOPUB or len(message.parts) != 2:
            self._refuse(f"a message on {message.channel.name} that a program does not send")
            return iter(())
        stream, data = (bytes(part) for part in message.parts)
        if stream == _ANSWERS:
            self._hear(data)
        elif stream not in (_OUT, _ERR):
            self._refuse("output of no stream")
        elif self._piece is None:
            self._early(data)
        elif self.budget.charge(len(data), overhead=0):  # only the bytes are kept, however they come
            self._piece.streams[stream] += data
        return iter(())

    def _early(self, data: bytes) -> None:
        if not self.kernel_ready:
            self.on_early(data.decode(errors="replace"))

    def _hear(self, data: bytes) -> None:
        self._answered += len(data)
        if self._answered > MAX_ANSWER:
            raise ViolationError(f"Killed: it gave an answer of more than {format_size(MAX_ANSWER)}.")
        self._line += data
        if b"\n" not in data:  # to look at all of it each time would let single bytes take forever
            return
        begin = 0
        while (end := self._line.find(b"\n", begin)) >= 0:  # one by one: a mebibyte may be a million lines
            line, begin = bytes(self._line[begin:end]), end + 1
            if line or self._greeted:
                self._read(line)
            self._greeted = True
        del self._line[:begin]

    def _read(self, line: bytes) -> None:
        try:
            said = _read_line(line)
        except (ValueError, RecursionError):
            said = _Said()
        if said.ended is not None:
            error = (said.name[:MAX_NAME], said.text[:MAX_TEXT]) if said.ended == "error" else None
            self._ended(error, compiled=said.compiled)
        elif said.shown is not None:
            self._show(said.shown)
        elif said.begun and self._piece and not self._piece.begun:
            self._piece.begun = True
        else:
            self._refuse("an answer that is none")

    def _show(self, text: str) -> None:
        piece = self._piece
        if piece is None or piece.texts == MAX_SHOWN:
            self._refuse("a text that nobody has asked for")
            return
        piece.texts += 1
        if self.budget.charge(len(text)):
            piece.shown.append(self._hide.text(text))

    def _ended(self, error: tuple[str, str] | None, *, compiled: bool) -> None:
        piece, self._piece = self._piece, None
        if piece is None:
            self._refuse("the end of nothing")
            return
        self._answered = 0
        stdout, stderr = (self._hide.text(said.decode(errors="replace")) for said in piece.streams.values())
        named = (self._hide.text(error[0]), self._hide.text(error[1])) if error else None
        ran = Ran(
            stdout, stderr, tuple(piece.shown), named, compiled=compiled or piece.begun,
            loss=self.budget.loss() if self.budget.dropped else None, deadline=piece.request.deadline,
        )  # fmt: skip
        self._endings.answered(piece.request, "error" if error else "ok")
        self.ledger.idle(piece.request)
        self._observer.output_ended(piece.request.msg_id, self.budget.shown, self.budget.dropped)
        self.budget.open()
        if not piece.future.done():
            piece.future.set_result(ran)


class ProgramSandbox(Sandbox):
    """One launch of one program. Its `front` is where it is known (`ps`, `stop`), and nobody connects."""

    def run(self, name: str, code: str) -> "Future[Ran | None]":
        """Run a piece of code, once the one before it has ended; the future has what it came to.

        :param name: what tracebacks call it.

        It is None where there was no end to it: see `ended`. It cannot be cancelled.
        """
        future: Future[Ran | None] = Future()
        future.set_running_or_notify_cancel()  # or it might be, just before it is set in our thread
        self._commands.put(lambda: self._ask(name, code, future))
        self.ended.add_done_callback(lambda _: None if future.done() else future.set_result(None))
        return future

    def _ask(self, name: str, code: str, future: "Future[Ran | None]") -> None:
        tunnel = self._tunnel
        if (
            tunnel is None
            or not isinstance(tunnel.guard, ProgramGuard)
            or not tunnel.guard.begin(code, future)
        ):
            return
        data = dumps((name, code), _MARSHAL)
        tunnel.ask((len(data).to_bytes(4, "little"), data))

    def _bind(self, front: Front | None) -> Sockets:  # noqa: ARG002 - nobody connects
        return {}

    def _order(self, process: SandboxProcess) -> Start:
        return super()._order(process)._replace(program=True)

    def _new_guard(self, key: bytes) -> Guard:
        guard = ProgramGuard(self.policy, outer=key, observer=self._audit.observer, masks=self._masks)
        guard.on_early = self._log.note
        self._guard = guard
        return guard

    def _tell_clients(self, tunnel: Tunnel, guard: Guard, death: Death) -> None:
        """Leave it to `ended`: there are none."""
