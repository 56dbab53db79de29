"""From what the guard tells of cells to one record for each."""

import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from sandbox_kernel.host.audit.records import MAX_CODE, Record, code_digest, moment, record
from sandbox_kernel.host.hooks import Cell, Observer
from sandbox_kernel.host.ledger import MAX_OPEN, Request

_OUTCOMES = {"ok": "ok", "error": "error", "aborted": "aborted", "abort": "aborted"}


class _Asked(Struct):
    """A cell of which there is no record yet; times in seconds since the epoch, and monotonic."""

    number: int
    digest: str
    size: int
    code: str | None
    began: tuple[float, float] | None
    ended: tuple[float, float] | None = None
    outcome: str = "unknown"


class Recorder(Observer):
    """Hears of one session's cells, in the thread that serves it."""

    def __init__(
        self, session: str, say: Callable[[Record], None], *, keep: Callable[[str], str] | None = None
    ) -> None:
        """Begin; `say` gets the records, `keep` what is kept of code (None: nothing)."""
        self.cells = 0
        self.output_bytes = 0
        self._session = session
        self._say = say
        self._keep = keep
        self._open: OrderedDict[str, _Asked] = OrderedDict()

    def cell_asked(self, request: Request, code: str) -> None:
        """Note a cell; it begins now, unless others run before it."""
        self.cells += 1
        kept = self._keep(code)[:MAX_CODE] if self._keep else None
        size = len(code.encode("utf-8", "surrogatepass"))
        waits = any(cell.ended is None for cell in self._open.values())
        began = None if waits else _now()
        self._open[request.msg_id] = _Asked(self.cells, code_digest(code), size, kept, began)
        if len(self._open) > MAX_OPEN:  # as the ledger, which then forgets it, too
            self._tell(self._open.popitem(last=False)[1])

    def interrupted(self, outcome: str) -> None:
        """Note that the running cell, if there is one, does not end by itself."""
        running = next((cell for cell in self._open.values() if cell.ended is None), None)
        if running:
            running.outcome = outcome

    def cell_ended(self, cell: Cell) -> None:
        """Note how a cell was answered; the next in the row begins."""
        asked = self._open.get(cell.request.msg_id)
        if asked is None:  # it was never let in
            self.cells += 1
            now = _now()
            asked = _Asked(self.cells, "", 0, None, now, now, "refused")
            self._tell(asked)
            return
        asked.ended = _now()
        asked.began = asked.began or asked.ended
        if asked.outcome == "unknown":
            asked.outcome = _OUTCOMES.get(cell.status, "error")
        following = next((other for other in self._open.values() if other.ended is None), None)
        if following and following.began is None:
            following.began = asked.ended

    def output_ended(self, msg_id: str, shown: int, dropped: int) -> None:
        """Write the record of a cell whose output is complete."""
        self.output_bytes += shown
        if (asked := self._open.get(msg_id)) is not None and asked.ended:
            del self._open[msg_id]
            self._tell(asked, shown, dropped)

    def close(self, shown: int, dropped: int) -> None:
        """Write the records of cells that were never done with: their kernel has ended.

        What was shown and dropped until then is the first one's; the others waited for it.
        """
        self.output_bytes += shown
        while self._open:
            asked = self._open.popitem(last=False)[1]
            if asked.ended is None and asked.began and asked.outcome == "unknown":
                asked.outcome = "ended"
            self._tell(asked, shown, dropped)
            shown = dropped = 0

    def _tell(self, asked: _Asked, shown: int = 0, dropped: int = 0) -> None:
        began = asked.began or _now()
        ended = asked.ended or _now()
        code = {"code": asked.code} if asked.code is not None else {}
        self._say(
            record(
                "cell",
                self._session,
                ended[0],
                cell=asked.number,
                outcome=asked.outcome,
                code_sha256=asked.digest or None,
                code_bytes=asked.size,
                start=moment(began[0]),
                end=moment(ended[0]),
                duration=round(ended[1] - began[1], 3),
                output_bytes=shown,
                dropped_bytes=dropped,
                **code,
            )
        )


def _now() -> tuple[float, float]:
    return time.time(), time.monotonic()
