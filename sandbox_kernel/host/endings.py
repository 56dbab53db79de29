"""How requests end: what their clients are owed, and the account of output that ends with them.

A cell is owed a reply and, after it, one idle; where it fails, an error before both. Whoever has them
to say, the kernel or the guard in its place, says them through here, so that each is said once, and
the observer hears of it.
"""

from collections.abc import Callable, Iterator

from sandbox_kernel.host.budget import Budget
from sandbox_kernel.host.hooks import Cell, Observer
from sandbox_kernel.host.ledger import Ledger, Request
from sandbox_kernel.host.parts import Json
from sandbox_kernel.host.speech import Action, Speech, ToClient, error
from sandbox_kernel.wire import Channel, Part


class Endings:
    """The ends of one kernel's requests."""

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget,
        speech: Speech,
        observer: Observer,
        on_loss: Callable[[str], None],
    ) -> None:
        """Take what the guard holds.

        :param on_loss: told what a cell's output has lost, before clients hear that the cell is idle.
        """
        self._ledger = ledger
        self._budget = budget
        self._speech = speech
        self._observer = observer
        self._on_loss = on_loss

    def pass_idle(self, request: Request, sealed: tuple[Part, ...]) -> Iterator[Action]:
        """Yield the one idle that a client's message is owed; with that of a cell its output ends.

        The reply is no such end: it overtakes output that was published before it.
        """
        ends_account = request.executes or self._ledger.running() is None
        if request.executes:
            for earlier in self._ledger.before(request):  # answered, if only by us, and then not called idle
                yield from self.end(earlier)
            yield from self._sum_up(request)
        self._ledger.idle(request)
        yield ToClient(Channel.IOPUB, sealed)
        if ends_account:  # last: the client need not wait for what is written down
            self._open_account(request)

    def answered(self, request: Request, status: str) -> None:
        """Note that a request has its reply, of this status."""
        if request.executes:
            self._observer.cell_ended(Cell(request, status, self._budget.shown, self._budget.dropped))
        self._ledger.answer(request, status)

    def answer(self, request: Request, name: str, sentence: str) -> Iterator[ToClient]:
        """Yield an error in place of the kernel's reply; its idle is still the kernel's to say."""
        content = error(name, sentence)
        if request.executes:
            yield self._speech.publish("error", content, request.header)
        self.answered(request, "error")
        yield self._speech.reply(request, {"status": "error", "execution_count": None, **content})
        if request.held_idle:
            yield from self.end(request)

    def fail(self, request: Request, name: str, sentence: str) -> Iterator[ToClient]:
        """Yield all that a cell is owed: an error, the reply and the idle."""
        content = error(name, sentence)
        yield self._speech.publish("error", content, request.header)
        yield from self.finish(request, {"status": "error", "execution_count": None, **content})

    def finish(self, request: Request, reply: Json) -> Iterator[ToClient]:
        """Yield a reply of this content, and the idle."""
        self.answered(request, str(reply["status"]))
        yield self._speech.reply(request, reply)
        yield from self.end(request)

    def end(self, request: Request) -> Iterator[ToClient]:
        """Yield the idle of a request that is answered already, and what its output has lost before it."""
        if self._ledger.find(request.msg_id) is request:
            yield from self._sum_up(request)
            self._open_account(request)
        self._ledger.idle(request)
        yield self._speech.status("idle", request.header)

    def _sum_up(self, request: Request) -> Iterator[ToClient]:
        summary = self._budget.summary()
        if summary:
            self._on_loss(self._budget.loss())
            yield self._speech.notice(summary, request.header)

    def _open_account(self, ended: Request) -> None:
        self._observer.output_ended(ended.msg_id, self._budget.shown, self._budget.dropped)
        self._budget.open()
