"""What a batch looks like: on a terminal live lines of what runs, everywhere else one line for each end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sandbox_kernel.batches import Job, Left, Record, Summary, Watcher
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.screen import terminal, title
from sandbox_kernel.notebooks import Cell, Outcome
from sandbox_kernel.policy import format_seconds

MAX_ROWS: Final = 30
"""Runs that the table at the end has; the reports have all."""
THE_SAME: Final = "the same"
"""In place of the sentence of the row above: what is wrong with a folder is wrong for all in it."""
SHOWN: Final = 16
"""Running notebooks with a line of their own on a terminal."""

_MARKS: Final[dict[Outcome | Left, tuple[str, str]]] = {
    Outcome.OK: ("✓", "green"),
    Left.UNCHANGED: ("=", "cyan"),
    Left.NOT_RUN: ("·", "dim"),
    Outcome.CANCELLED: ("■", "yellow"),
}
_OTHER_MARK: Final = ("✗", "red")


class BatchScreen(Watcher):
    """Shows a batch: `with screen.watching(): …`."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        """Note how many runs there are to be."""
        self._console = terminal()
        self._total = total
        self._quiet = quiet
        self._over = 0
        self._live: Progress | None = None
        self._whole: TaskID | None = None
        self._lines: dict[Path, TaskID] = {}
        self._warnings: set[tuple[Path, str]] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show live lines, where there is a terminal, for as long as this lasts."""
        if self._quiet or not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[cell]}", markup=False, style="dim"),
        )
        live = Progress(
            *columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        with live:
            self._live = live
            self._whole = live.add_task("all", total=self._total, completed=self._over, cell="")
            try:
                yield
            finally:
                self.close()

    def close(self) -> None:
        """Take the live lines away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begun(self, job: Job) -> None:
        """Give it a line, while there is room."""
        if self._live is not None and job.output not in self._lines and len(self._lines) < SHOWN:
            self._lines[job.output] = self._live.add_task(f"  {_short(job.name)}", total=None, cell="")

    def cell_started(self, job: Job, cell: Cell) -> None:
        """Show how far it is."""
        if self._live is not None and job.output in self._lines:
            line = self._lines[job.output]
            self._live.update(line, total=cell.total, completed=cell.number - 1, cell=title(cell)[:40])

    def warned(self, job: Job, sentence: str) -> None:
        """Say it, also when quiet; of each notebook once, however often it runs."""
        if (job.notebook, sentence) not in self._warnings:
            self._warnings.add((job.notebook, sentence))
            self.say(f"warning: {job.name}: {sentence}", "yellow")

    def retrying(self, job: Job, sentence: str, seconds: float) -> None:
        """Say it."""
        if not self._quiet:
            self.say(f"{job.name}: {sentence} It is tried again in {seconds:.1f} s.", "yellow")

    def ended(self, record: Record) -> None:
        """Leave one line behind."""
        self._over += 1
        line = self._lines.pop(record.job.output, None)
        if self._live is not None and self._whole is not None:
            self._live.update(self._whole, completed=self._over)
            if line is not None:
                self._live.remove_task(line)
        if not self._quiet:
            self._console.print(self._line(record))

    def resumed(self, count: int) -> None:
        """Say how many runs need not be done again."""
        self._over += count
        if not self._quiet:
            self.say(f"{count} of {self._total} are done and unchanged.")

    def _line(self, record: Record) -> Text:
        count = f"[{self._over:>{len(str(self._total))}}/{self._total}] "
        mark, style = _MARKS.get(record.status, _OTHER_MARK)
        told = "" if record.good else f": {record.status}: {_clean(record.sentence)}"
        rest = f" {record.duration:6.1f} s  {_clean(record.job.name)}{told}"
        return Text(count) + Text(mark, style=style) + Text(rest)

    def summarise(self, summary: Summary, output: Path | None) -> None:
        """Show a table of what ended badly, and one line on all."""
        bad = [record for record in summary.records if not record.good and record.status is not Left.NOT_RUN]
        if bad:
            self._console.print(_table(bad[:MAX_ROWS]))
        if len(bad) > MAX_ROWS:
            self.say(f"… and {len(bad) - MAX_ROWS} more; --report html=FILE shows all.")
        if summary.stopped:
            self.say(f"stopped early: {summary.stopped}", "yellow")
        counts = ", ".join(f"{count} {status}" for status, count in summary.counts().items())
        where = f" → {output}" if output else ""
        runs = "1 run" if len(summary.records) == 1 else f"{len(summary.records)} runs"
        style = "green" if all(record.good for record in summary.records) else "bold red"
        self.say(f"{runs} in {format_seconds(round(summary.duration, 1))}: {counts}{where}", style)

    def say(self, sentence: str, style: str = "") -> None:
        """Print a sentence of our own; also when quiet."""
        self._console.print(Text(_clean(sentence), style=style))


def _table(records: list[Record]) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("status")
    table.add_column("notebook", overflow="fold")
    table.add_column("time", justify="right")
    table.add_column("", overflow="fold")
    before = None
    for record in records:
        _, style = _MARKS.get(record.status, _OTHER_MARK)
        said = THE_SAME if record.sentence == before else record.sentence
        before = record.sentence
        cells = (record.job.name, f"{record.duration:.1f} s", said)
        table.add_row(Text(str(record.status), style=style), *(Text(_clean(cell)) for cell in cells))
    return table


def _clean(text: str) -> str:
    """Return a text on one line, cut to what a terminal may show: kernels and file names are in it."""
    return plain(text if len(text) <= 500 else f"{text[:499]}…")


def _short(name: str) -> str:
    """Return the end of a name, which tells it from others."""
    shown = plain(name)
    return shown if len(shown) <= 50 else f"…{shown[-49:]}"
