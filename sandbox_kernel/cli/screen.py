"""What a run looks like: a live line on a terminal, one line per cell everywhere else.

Progress goes to standard error. With `--log-output`, what cells print goes to standard output and
error as if they had printed it themselves, made safe by `escape`. A reader who goes away (a
broken pipe) ends the watching, not the run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from sandbox_kernel.cli.copies import NO_COPIES
from sandbox_kernel.cli.escape import Lines, plain
from sandbox_kernel.cli.policy_options import flags
from sandbox_kernel.cli.streams import Listener
from sandbox_kernel.notebooks import Cell, Outcome, Progress

_MARKS = {Outcome.OK: ("✓", "green"), Outcome.ERROR: ("✗", "red")}
_OTHER_MARK = ("■", "yellow")
_LIMIT = re.compile(r"\('(\w+)'\)")


def terminal() -> Console:
    """Return standard error, for people; it falls silent when nobody can read it any more."""
    file = cast("IO[str]", Listener("stderr"))
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)


class Screen(Progress):
    """Shows a run: `with screen: …`."""

    def __init__(self, *, log_output: bool, quiet: bool) -> None:
        self._console = terminal()
        self._files = {name: Listener(name) for name in ("stdout", "stderr")}
        self._log_output = log_output
        self.copies = NO_COPIES
        """Files that take what cells print, as it comes."""
        self._quiet = quiet
        self._live: Bar | None = None
        self._lines: dict[str, Lines] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show the live line, where there is a terminal, for as long as this lasts."""
        if self._quiet or not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        bar = Bar(
            *columns,
            console=self._console,
            transient=True,
            redirect_stdout=False,  # what goes into a file must not end up here
            redirect_stderr=False,
        )
        with bar as live:
            self._live, self._task = live, live.add_task("starting", total=None)
            try:
                yield
            finally:
                self._live = None

    def kernel_starting(self, name: str) -> None:
        """Say which kernel is awaited."""
        self._update(description=f"starting {plain(name)}")

    def kernel_ready(self, seconds: float, wall: str | None) -> None:
        """Say how long it took, and what stands around the kernel."""
        where = f" ({plain(wall)})" if wall else ""
        self._say(Text(f"kernel ready after {seconds:.1f} s{where}", style="dim"))

    def cell_started(self, cell: Cell) -> None:
        """Show what runs."""
        self._update(total=cell.total, completed=cell.number - 1, description=title(cell))
        if self._log_output and self._live is None:
            self._say(Text(f"{_count(cell)} {title(cell)}", style="dim"))

    def cell_output(self, cell: Cell, output: NotebookNode) -> None:  # noqa: ARG002
        """Print it, and write it down, if that was asked for."""
        self.copies.take(output)
        if not self._log_output:
            return
        if output.output_type == "stream":
            self._feed("stderr" if output.name == "stderr" else "stdout", str(output.text))
        elif output.output_type == "error":
            self._feed("stderr", error_text(output) + "\n")
        else:
            self._feed("stdout", _as_text(output) + "\n")

    def cell_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        """Leave one line behind."""
        for stream, lines in self._lines.items():
            self._print(stream, lines.flush())
        self._update(completed=cell.number)
        mark, style = _MARKS.get(outcome, _OTHER_MARK)
        line = Text(f"{_count(cell)} ") + Text(mark, style=style)
        self._say(line + Text(f" {seconds:6.1f} s  {title(cell)}"))

    def cell_lost(self, cell: Cell, what: str) -> None:
        """Say so, with the option in place of the limit's name: nobody sees it in the terminal else."""
        self.say(f"cell {cell.number}: {_LIMIT.sub(lambda found: f'({flags(found[1])[0]})', what)}", "yellow")

    def warned(self, sentence: str) -> None:
        """Say it, also when quiet."""
        self.say(f"warning: {sentence}", "yellow")

    def error(self, output: NotebookNode) -> None:
        """Print the traceback of the cell that ended the run, unless it has been printed already."""
        if not self._log_output:
            self._feed("stderr", error_text(output) + "\n")

    def say(self, sentence: str, style: str = "") -> None:
        """Print a sentence of our own; also when quiet."""
        self._console.print(Text(plain(sentence), style=style))

    def _say(self, line: Text) -> None:
        if not self._quiet:
            self._console.print(line)

    def _update(self, **fields: Any) -> None:
        if self._live is not None:
            self._live.update(self._task, **fields)

    def _feed(self, stream: str, text: str) -> None:
        colour = self._colour(stream)
        lines = self._lines.setdefault(stream, Lines(colour=colour))
        self._print(stream, lines.feed(text))
        if self._live is not None and lines.rest:
            self._update(description=Text.from_ansi(lines.rest).plain[:60])

    def _colour(self, stream: str) -> bool:
        return self._files[stream].isatty() and not self._console.no_color

    def _print(self, stream: str, lines: list[str]) -> None:
        file = self._files[stream]
        if self._live is not None and file.isatty():
            for line in lines:
                self._console.print(Text.from_ansi(line))
        elif lines:
            file.write("\n".join(lines) + "\n")
            file.flush()


def _count(cell: Cell) -> str:
    return f"[{cell.number:>{len(str(cell.total))}}/{cell.total}]"


def title(cell: Cell) -> str:
    """Return the cell's first line that says something."""
    lines = [line.strip() for line in cell.source.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("#", "%"))]
    shown = plain((telling or [line for line in lines if line] or [""])[0])
    return shown if len(shown) <= 60 else shown[:59] + "…"


def error_text(output: NotebookNode) -> str:
    """Return an error output as text."""
    traceback = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
    return "\n".join(str(line) for line in traceback)


def _as_text(output: NotebookNode) -> str:
    data = output.get("data", {})
    kinds = ", ".join(str(kind) for kind in data if kind != "text/plain")
    text = str(data.get("text/plain", ""))
    return f"{text} [{kinds}]" if kinds else text
