"""`sandbox-kernel bench`: what a sandboxed kernel costs here, beside a plain one."""

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox_kernel.bench.figures import FIGURES, GROUPS
from sandbox_kernel.bench.results import Results, Value, Worse, merged, read_document, worse
from sandbox_kernel.bench.run import Plan, Run, Told
from sandbox_kernel.bench.subjects import PLAIN, SANDBOXES
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.errors import ExitCode, NotebookError

HELP = """
Measure what a sandboxed kernel costs on this machine: starts, round trips, output, restarts, memory, and
how all that grows. Everything is compared with a plain ipykernel (over TCP, as Jupyter runs it) in the
same run, in turn with it. Times are this machine's; the ratios are what may be quoted. The machine
should have nothing else to do.

\b
Examples:
  sandbox-kernel bench --quick
  sandbox-kernel bench --engine bubblewrap --only start --only execute --trace
  sandbox-kernel bench --record baseline.json
  sandbox-kernel bench --baseline baseline.json

Exits with 0; with 1 if a ratio is more than 20 % worse than the one in the file that --baseline names, if
what was recorded there cannot be measured any more, or if nothing could be measured at all.
"""

QUICK_ENGINES = ("bubblewrap",)

FILE_WIDTH = 180
"""Columns of a file or pipe: all walls side by side, each with its spread."""


@click.command("bench", help=HELP, short_help="Measure what a sandboxed kernel costs here.")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(list(SANDBOXES)),
    help="A wall to measure. Repeatable.  [default: all that there are; with --quick bubblewrap]",
)
@click.option(
    "--only",
    "groups",
    multiple=True,
    type=click.Choice(list(GROUPS)),
    help="Measure this, and nothing else. Repeatable.",
)
@click.option("--rounds", type=click.IntRange(1, 1000), metavar="N", help="How often each is measured.")
@click.option("--quick", is_flag=True, help="Less of everything, in about a minute; for a first look.")
@click.option("--trace", is_flag=True, help="Show where the time of a start and of a round trip goes.")
@click.option("--json", "json_file", metavar="FILE", help="Write all of it there as JSON, too; - for stdout.")
@click.option("--record", metavar="FILE", help="Keep the figures there; those that were not measured stay.")
@click.option("--baseline", metavar="FILE", help="Compare with what --record has kept there.")
def command(
    *,
    engines: tuple[str, ...],
    groups: tuple[str, ...],
    rounds: int | None,
    quick: bool,
    trace: bool,
    json_file: str | None,
    record: str | None,
    baseline: str | None,
) -> int:
    """Measure, show, keep and compare."""
    recorded = read_document(Path(baseline)) if baseline else None
    kept = read_document(Path(record)) if record and Path(record).exists() else None
    for file in (json_file, record):
        _require_place(file)
    plan = Plan(
        engines=tuple(dict.fromkeys(engines)) or (QUICK_ENGINES if quick else tuple(SANDBOXES)),
        groups=tuple(name for name in GROUPS if name in groups or not groups),
        rounds=rounds,
        quick=quick,
        trace=trace,
        beside=not quick and not engines,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that kernels and scratch files go as well
    with _telling() as tell:
        results = Run(plan, tell).measure()
    results.commands = [shlex.join(("sandbox-kernel", "bench", *_arguments()))]
    document = results.document()
    if json_file:
        _write(json_file, document)
    if record:
        _write(record, merged(kept, document) if kept else document)
    console = Console(markup=False, highlight=False, soft_wrap=True, stderr=json_file == "-")
    if not console.is_terminal:  # nobody's screen is too narrow
        console.width = FILE_WIDTH
    _show(console, results)
    if not results.figures and not results.traces:
        return ExitCode.CELL_ERROR
    return _compare(console, worse(results, recorded, plan.asked())) if recorded else ExitCode.OK


def _require_place(file: str | None) -> None:
    """See to it that a file can be written, before anything is measured for it."""
    if file and file != "-" and not (place := Path(file).absolute().parent).is_dir():
        raise NotebookError(f"cannot write {file}: there is no directory {place}.")


def _write(file: str, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1) + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotebookError(f"cannot write {file}: {error.strerror}.") from error


def _arguments() -> list[str]:
    """Return what was asked for, without where it goes: that is how it is asked for again."""
    given, left = list(sys.argv[2:]), []
    while given:
        word = given.pop(0)
        if word in ("--json", "--record", "--baseline"):
            del given[:1]
        elif not word.startswith(("--json=", "--record=", "--baseline=")):
            left.append(word)
    return left


@contextmanager
def _telling() -> Iterator[Told]:
    """Say on standard error what is going on: in one line on a terminal, else in one for each figure."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if console.is_terminal and not console.is_dumb_terminal:
        with console.status("") as status:
            yield lambda what, whom: status.update(Text(f"{what}: {whom}"))
        return
    said: set[str] = set()

    def tell(what: str, _: str) -> None:
        if what not in said:
            said.add(what)
            console.print(what)

    yield tell


def _show(console: Console, results: Results) -> None:
    if results.figures:
        console.print(_table(results))
    for subject, trace in results.traces.items():
        console.print(_stages(results.subjects[subject], trace))
    for missed in results.unmeasured:
        where = f" ({GROUPS[missed.what].title})" if missed.what in GROUPS else ""
        console.print(plain(f"not measured: {missed.subject}{where}: {missed.why.rstrip('.')}."))


def _table(results: Results) -> Table:
    """Return the plain kernel's figures, and beside them everybody's ratio with its quartiles."""
    subjects = [name for name in results.subjects if name != PLAIN.name]
    table = Table(
        box=None, pad_edge=False, title="ratios to the plain kernel (a quarter is below, a quarter above)"
    )
    table.add_column("")
    for title in (PLAIN.title, *(results.subjects[name] for name in subjects)):
        table.add_column(title, justify="right")
    for name, found in results.figures.items():
        figure = FIGURES[name]
        more = " (more is better)" if figure.better == "more" else ""
        cells = [_absolute(found.get(PLAIN.name), figure.unit)]
        cells += [_ratio(found.get(subject), figure.unit) for subject in subjects]
        table.add_row(*(Text(cell) for cell in (f"{figure.title}{more}", *cells)))
    return table


def _absolute(value: Value | None, unit: str) -> str:
    return "-" if value is None else f"{value.value:.4g} {unit}".strip()


def _ratio(value: Value | None, unit: str) -> str:
    if value is None or value.ratio is None:
        return _absolute(value, unit)
    spread = value.ratio_quartiles
    return f"{value.ratio:.2f}" + (f" ({spread[0]:.2f}-{spread[1]:.2f})" if spread else "")


def _stages(title: str, trace: dict[str, Any]) -> Table:
    """Return where the time goes: each stage is called by what ends it."""
    table = Table(box=None, pad_edge=False, title=f"{title}: where the time goes, until …")
    table.add_column("a start")
    table.add_column("ms", justify="right")
    table.add_column("a round trip")
    table.add_column("µs", justify="right")
    start, trip = trace["start"], trace["round_trip"]
    for number in range(max(len(start), len(trip))):
        cells = [
            cell
            for stages in (start, trip)
            for cell in (
                (stages[number][0], f"{stages[number][1]:.1f}") if number < len(stages) else ("", "")
            )
        ]
        table.add_row(*(Text(cell) for cell in cells))
    for name in trace["missing"]:
        table.add_row(Text(f"not seen: {name}"))
    return table


def _compare(console: Console, found: list[Worse]) -> int:
    """Say what has got worse, and return the exit code of that."""
    for each in found:
        now = "it cannot be measured" if each.now is None else f"it is {each.now:.2f}"
        title = SANDBOXES[each.subject].title
        console.print(f"worse: {FIGURES[each.figure].title}, {title}: was {each.before:.2f}, now {now}.")
    if not found:
        console.print("Nothing is more than 20 % worse than what was recorded.")
    return ExitCode.CELL_ERROR if found else ExitCode.OK
