"""What `sandbox-kernel check` shows: how far it is, a line for each submission or check, a sum."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from sandbox_kernel.checks.reports import said
from sandbox_kernel.checks.suite import Suite
from sandbox_kernel.checks.verdicts import Graded, Verdict
from sandbox_kernel.cli.escape import plain

_PASSED, _FAILED, _NOT_RUN = ("✓", "green"), ("✗", "red"), ("■", "yellow")


class CheckScreen:
    """Shows one run of the command."""

    def __init__(self, total: int, *, to_stdout: bool, quiet: bool) -> None:
        """Prepare.

        :param to_stdout: whether results go to standard output: not where a report does.
        """
        file = sys.stdout if to_stdout else sys.stderr
        self._console = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._total = total
        self._quiet = quiet
        self._live: Progress | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show how far it is, where there is a terminal and more than one submission."""
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        if self._quiet or self._total == 1 or not console.is_terminal or console.is_dumb_terminal:
            yield
            return
        columns = TextColumn("checking"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn()
        bar = Progress(
            *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        with bar as live:
            self._live, self._task = live, live.add_task("", total=self._total)
            try:
                yield
            finally:
                self._live = None

    def heard(self, result: Graded) -> None:  # noqa: ARG002 - how many is what counts
        """Count one more result."""
        if self._live is not None:
            self._live.advance(self._task)

    def show(self, suite: Suite, results: Sequence[Graded], *, verbose: bool) -> None:
        """Show all results, and the sum."""
        if not self._quiet:
            width = max(len(plain(result.submission)) for result in results)
            for result in results:
                self._show(result, width, verbose=verbose)
        passed = sum(result.passed for result in results)
        what = f"{passed} of {len(results)} submissions passed every check"
        if len(results) == 1:
            met = sum(verdict.passed for verdict in results[0].verdicts)
            what = f"{met} of {len(suite.checks)} checks passed"
            what += f", {results[0].points:g} of {suite.points:g} points"
        self._say(what + ".", "green" if passed == len(results) else "bold red")

    def _show(self, result: Graded, width: int, *, verbose: bool) -> None:
        mark, style = _PASSED if result.passed else _FAILED if result.was_run else _NOT_RUN
        about = f"{plain(result.submission):<{width}}  {result.points:g}/{result.most:g}"
        line = Text.assemble((f"{mark} ", style), about)
        ran = result.outcome == "ok"
        if not result.passed and not (verbose and ran):
            line.append(f"  {plain(self._cause(result))}", "dim")
        self._console.print(line)
        for verdict in result.verdicts if verbose else ():
            mark, style = _PASSED if verdict.passed else _FAILED
            told = _told(verdict) if ran and not verdict.passed else verdict.name
            self._console.print(Text.assemble((f"  {mark} ", style), plain(told)))

    def _cause(self, result: Graded) -> str:
        """Return why it has not passed, in a line."""
        if result.outcome != "ok":
            return result.cause
        failed = [verdict for verdict in result.verdicts if not verdict.passed]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{_told(failed[0])}{more}"

    def _say(self, sentence: str, style: str) -> None:
        self._console.print(Text(sentence, style))


def _told(verdict: Verdict) -> str:
    """Return which check was not met, and why; a call that nobody has named is in the reason itself."""
    reason = said(verdict)
    return (
        reason
        if reason.startswith((f"{verdict.name} ", f"what {verdict.name} "))
        else f"{verdict.name}: {reason}"
    )
