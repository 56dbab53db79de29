"""A batch as one page that needs nothing but itself: no script, no network, no other file.

What notebooks and their authors chose (names, parameters, sentences) is text here, escaped. Of what they
drew only figures in PNG format are shown, checked by `figures`. The page says itself that nothing in it
may act: should something slip through, a browser still runs no script and loads nothing.
"""

import base64
import hashlib
import html
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from sandbox_kernel import __version__
from sandbox_kernel.batches.figures import Figure
from sandbox_kernel.batches.record import Left, Record, Summary
from sandbox_kernel.batches.reports.words import link, one_line, readable
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import format_seconds, format_size

MAX_FAILED: Final = 30
"""Failed runs that the list at the top has; all are below."""
MARKS: Final[Mapping[str, str]] = {
    Outcome.OK: "✓", Left.UNCHANGED: "=", Outcome.ERROR: "✗", Outcome.TIMEOUT: "◷", Outcome.MEMORY: "▲",
    Outcome.LIMIT: "◆", Outcome.CANCELLED: "■", Outcome.DIED: "†", Outcome.LOST: "?", Left.REFUSED: "⊘",
    Left.NOT_RUN: "·", Outcome.RUNNING: "▸",
}  # fmt: skip
"""A sign of each status, for those who do not see its colour."""
_DRAWING: Final = 'preserveAspectRatio="none" aria-hidden="true"'


def as_page(summary: Summary, page: Path) -> bytes:
    """Return the page that is to be saved at `page`, from where its links lead to the results."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    title = _title(summary)
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{_text(policy)}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n',
            f"<title>{_text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n",
            *_head(summary, title),
            *_failed(summary),
            *_filter(summary),
            *(_run(number, record, summary, page) for number, record in enumerate(summary.records, 1)),
            "</main>\n</body>\n</html>\n",
        ]
    ).encode()


def _text(text: str) -> str:
    return html.escape(one_line(text))


def _title(summary: Summary) -> str:
    count = len(summary.records)
    good = sum(record.good for record in summary.records)
    what = "1 notebook run" if count == 1 else f"{count} notebook runs"
    return f"{what}, all ok" if good == count else f"{what}, {count - good} not ok"


def _head(summary: Summary, title: str) -> Iterator[str]:
    when = summary.started.strftime("%d %B %Y, %H:%M UTC")
    facts = [when, _seconds(summary.duration), f"{summary.at_once} at once", f"sandbox-kernel {__version__}"]
    yield f'<h1>{_text(title)}</h1>\n<p class="facts">{_text(" · ".join(facts))}</p>\n'
    if summary.stopped:
        yield f'<p class="stopped">Stopped early: {_text(summary.stopped)}</p>\n'
    counts = summary.counts()
    yield f'<svg class="share" viewBox="0 0 {len(summary.records)} 1" {_DRAWING}>'
    at = 0
    for status, count in counts.items():
        told = f"<title>{count} {_text(status)}</title>"
        yield f'<rect class="{_class(status)}" x="{at}" width="{count}" height="1">{told}</rect>'
        at += count
    yield '</svg>\n<ul class="counts">\n'
    for status, count in counts.items():
        yield f"<li>{_mark(status)}<b>{count}</b> {_text(status)}</li>\n"
    yield "</ul>\n"


def _class(status: str) -> str:
    return status.replace(" ", "-")


def _mark(status: str) -> str:
    return f'<span class="mark {_class(status)}" aria-hidden="true">{MARKS[status]}</span>'


def _failed(summary: Summary) -> Iterator[str]:
    failed = [(number, record) for number, record in enumerate(summary.records, 1) if not record.good]
    if not failed:
        return
    yield '<h2>Not ok</h2>\n<ul class="failed">\n'
    for number, record in failed[:MAX_FAILED]:
        yield (
            f'<li>{_mark(str(record.status))} <a href="#run-{number}">{_text(_name(record))}</a>: '
            f"{_text(str(record.status))}. {_text(_cut(record.sentence))}</li>\n"
        )
    if len(failed) > MAX_FAILED:
        yield f"<li>and {len(failed) - MAX_FAILED} more below.</li>\n"
    yield "</ul>\n"


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= 160 else f"{sentence[:159]}…"


def _filter(summary: Summary) -> Iterator[str]:
    good = sum(record.good for record in summary.records)
    choices = {"all": len(summary.records), "bad": len(summary.records) - good, "good": good}
    words = {"all": "All", "bad": "Not ok", "good": "Ok"}
    yield '<div class="filter">\n'
    for name, count in choices.items():
        checked = " checked" if name == "all" else ""
        yield f'<input type="radio" name="show" id="show-{name}"{checked}>'
        yield f'<label for="show-{name}">{words[name]} ({count})</label>\n'
    yield "</div>\n"


def _name(record: Record) -> str:
    name = readable(record.job.notebook)
    return f"{name} [{record.job.label}]" if record.job.label else name


def _run(number: int, record: Record, summary: Summary, page: Path) -> str:
    kind = "good" if record.good else "bad"
    status = str(record.status)
    return "".join(
        [
            f'<section class="run {kind} {_class(status)}" id="run-{number}">\n',
            f'<span class="status"><span aria-hidden="true">{MARKS[status]}</span> ',
            f"{_text(status)}</span>\n<div>\n",
            *_words(record, page),
            "</div>\n",
            *_times(record, summary),
            *_figures(record),
            "</section>\n",
        ]
    )


def _words(record: Record, page: Path) -> Iterator[str]:
    job = record.job
    yield f'<span class="name">{_text(readable(job.notebook))}</span>'
    yield f' <span class="label">{_text(job.label)}</span>\n' if job.label else "\n"
    if not record.good:  # the status says the same
        yield f'<p class="said">{_text(record.sentence)}</p>\n'
    for failure in record.failures:
        yield f'<p class="said">Tried again after: {_text(failure)}</p>\n'
    yield f'<p class="links"><a href="{html.escape(link(job.output, page))}">result</a>'
    yield f'<a href="{html.escape(link(job.real, page))}">notebook</a>'
    if record.artifacts and record.artifacts_in:
        folder = html.escape(link(record.artifacts_in, page))
        yield f'<a href="{folder}">artifacts ({len(record.artifacts)})</a>'
    yield "</p>\n"


def _times(record: Record, summary: Summary) -> Iterator[str]:
    yield f'<div class="time">{record.cells_run} of {record.cells} cells'
    if record.started is not None:
        yield f" · <b>{_text(_seconds(record.duration))}</b>"
        yield from _bar(record, summary)
    used = [] if record.cpu_seconds is None else [f"{_seconds(record.cpu_seconds)} CPU"]
    used += [] if record.peak_memory is None else [format_size(record.peak_memory)]
    if used:
        yield f'<span class="used">{_text(", ".join(used))}</span>'
    yield "</div>\n"


def _bar(record: Record, summary: Summary) -> Iterator[str]:
    """Yield when in the course of the batch it ran; nothing for what an earlier batch did."""
    begun = (record.started - summary.started).total_seconds() if record.started else 0.0
    whole = max(summary.duration, 0.001)
    if begun < 0:
        return
    at, width = min(begun / whole, 1) * 100, min(record.duration / whole, 1) * 100
    yield f'<svg class="bar" viewBox="0 0 100 1" {_DRAWING}>'
    yield f'<rect x="{at:.2f}" width="{max(width, 0.5):.2f}" height="1"/></svg>'


def _figures(record: Record) -> Iterator[str]:
    if not record.figures and not record.figures_left_out:
        return
    yield '<div class="figures">\n'
    for number, figure in enumerate(record.figures, 1):
        yield _picture(figure, f"figure {number} of {readable(record.job.notebook)}")
    if record.figures_left_out:
        more = "more " if record.figures else ""
        yield f"<span>{record.figures_left_out} {more}in the result</span>\n"
    yield "</div>\n"


def _picture(figure: Figure, name: str) -> str:
    data = base64.b64encode(figure.png).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{figure.width}" height="{figure.height}" '
        f'alt="{_text(name)}" tabindex="0" loading="lazy" decoding="async">\n'
    )


def _seconds(seconds: float) -> str:
    return format_seconds(seconds if seconds >= 60 else round(seconds, 1))
