"""The rule for each MIME type of a display, a result, a page, an inspection."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

from sandbox_kernel.host.content.allowance import Allowance
from sandbox_kernel.host.content.frame import framed
from sandbox_kernel.host.content.html import Inline, describe, reduce
from sandbox_kernel.host.content.libraries import (
    BOKEH_EXEC,
    PLOTLY,
    VEGA,
    Libraries,
    script,
    vega_figure,
)
from sandbox_kernel.host.content.markdown import MAX_CONVERTED, Converter, is_plain
from sandbox_kernel.host.content.svg import MAX_DRAWING, MAX_ELEMENTS, MAX_NESTING, drawing
from sandbox_kernel.host.content.texts import plain_tex, printable
from sandbox_kernel.host.parts import Json

Mode = Literal["isolate", "strip"]

HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
PLAIN: Final = "text/plain"
SVG: Final = "image/svg+xml"
VIEW: Final = "application/vnd.jupyter.widget-view+json"

SCRIPTS: Final = frozenset(
    f"{kind}/{name}"
    for kind in ("application", "text")
    for name in ("javascript", "ecmascript", "x-javascript")
)
PASSED: Final = frozenset(
    (
        *("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"),
        *("application/json", "application/vnd.dataresource+json"),
    )
)
"""Data that no reader of notebooks obeys."""

RECORDS: Final = re.compile(r"application/(?:papermill|scrapbook)\.[\w.+-]+")
"""Values that papermill and scrapbook keep in notebooks; nothing shows them."""

TEXTS: Final = frozenset((PLAIN, "application/vnd.jupyter.stdout", "application/vnd.jupyter.stderr"))

_BOUNDS: Final = {
    SVG: (
        "[sandbox] An SVG is shown in the page if it is in order and has at most "
        f"{MAX_DRAWING >> 20} MB, {MAX_ELEMENTS:,} elements and {MAX_NESTING} groups within groups. "
        "A PNG of the same picture has no such limits."
    ),
    MARKDOWN: (
        "[sandbox] Markdown with HTML or pictures is shown if it does not act, has at most "
        f"{MAX_CONVERTED >> 10} KB, and takes, with what was shown before, little time to read. "
        "Without HTML and pictures it has no such limits."
    ),
}
"""What is to be known of what could not be shown as it is, when its text alone remains."""

_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_ID = re.compile(r"[\w.:-]{1,255}")
_VISIBLE = re.compile(r"<(?:img|audio|video|table|progress|meter|hr|li)\b|^[^<]*[^<\s]|>[^<]*[^<\s]")


class Bundles:
    """Makes one kernel's MIME bundles harmless."""

    def __init__(self, mode: Mode) -> None:
        self.allowance = Allowance()
        self._mode: Mode = mode
        self._libraries = Libraries()
        self._markdown = Converter()

    def shown(self, data: Json) -> Json:
        """Return the bundle as clients get it; the same object, if nothing had to be changed."""
        if all(mime in PASSED for mime in data) or (data.keys() == {PLAIN} and isinstance(data[PLAIN], str)):
            return data if PLAIN not in data else self._plain_only(data)
        if self._mode == "isolate" and self._libraries.keep_bundle(data):
            return {PLAIN: "[sandbox] BokehJS comes with each figure, in a frame of its own."}
        clean = {mime: value for mime in data if (value := self._one(mime, data[mime])) is not None}
        clean |= self._acting(data, clean)
        if clean.keys() <= {PLAIN} and (notes := list(self._notes(data, clean))):
            clean[PLAIN] = "\n".join((_joined(clean.get(PLAIN)) or "", *notes)).lstrip("\n")
        return data if clean == data else clean

    def _plain_only(self, data: Json) -> Json:
        text = printable(data[PLAIN])
        return data if text == data[PLAIN] else {PLAIN: text}

    def html(self, html: str) -> str | None:
        """Return HTML that may stand in the page; None if nothing of it may."""
        may_be_read = self.allowance.read(len(html))
        if self._mode == "strip":
            reduced = reduce(html) if may_be_read else None
            return self._with_note(reduced) if reduced and _VISIBLE.search(reduced.text) else None
        if self._libraries.keep_html(html):
            return "<small>[sandbox] plotly.js comes with each figure, in a frame of its own.</small>"
        described = describe(html) if may_be_read else None
        if described:
            return self._with_note(described)
        return self._framed(lambda: self._libraries.complete(html))

    def _framed(self, figure: Callable[[], str | None]) -> str | None:
        """Return a frame with the figure, unless it is none, or there is too much of it in one message."""
        html = figure() if self.allowance.has_frames else None
        if html is None:
            return None
        shown = framed(html)
        self.allowance.charge_frame(len(shown or html))
        return shown

    def _with_note(self, inline: Inline) -> str:
        notes = []
        if inline.withheld:
            notes.append(
                f"{inline.withheld} picture(s) or recording(s) from elsewhere "
                "are not loaded: that could tell others what this code has read ('html')."
            )
        if inline.left_out:
            notes.append(f"{inline.left_out} script(s) or frame(s) were left out ('html' is {self._mode}).")
        return inline.text + "".join(f"<p><small>[sandbox] {note}</small></p>" for note in notes)

    def _one(self, mime: str, value: Any) -> Any:
        """Return one entry as it may be shown; None if it may not be, or not as what it is."""
        if mime in PASSED or RECORDS.fullmatch(mime):
            return value
        if mime == VIEW:
            return _view(value)
        text = _joined(value)
        if text is None:
            return None
        if mime == HTML:
            return text if not text.strip() else self.html(text)
        return self._text(mime, text, value)

    def _text(self, mime: str, text: str, value: Any) -> Any:
        if mime in TEXTS:
            return _same(printable(text), text, value)
        if mime == "text/latex":
            return _same(plain_tex(text), text, value)
        if mime == MARKDOWN:
            return _same(plain_tex(text), text, value) if is_plain(text) else None
        if mime == SVG:
            return drawing(text) if self.allowance.read(len(text)) else None
        if mime == "application/pdf" and self._mode == "isolate" and _BASE64.fullmatch(text):
            return value
        return None

    def _acting(self, data: Json, clean: Json) -> Json:
        """Return the HTML that stands for what may not be shown as what it is, and is not in `clean`."""
        markdown = _joined(data.get(MARKDOWN))
        if markdown is not None and not is_plain(markdown) and HTML not in data:
            converted = self._markdown.html(markdown)
            shown = self.html(converted) if converted is not None else None
            return {HTML: shown} if shown is not None else {}
        if self._mode == "strip":
            return {}
        shown = self._framed(lambda: self._figure(data, clean))
        return {HTML: shown} if shown is not None else {}

    def _figure(self, data: Json, clean: Json) -> str | None:
        """Return HTML that draws what came as data, or does what a script says; None if neither came."""
        for mime in data:
            if found := VEGA.fullmatch(mime):
                return vega_figure(data[mime], found)
        drawn = _joined(data.get(SVG))
        if drawn is not None and clean.keys() <= {
            PLAIN
        }:  # no picture of it, nor the SVG, may stand in the page
            return drawn
        if PLOTLY in data:
            return self._libraries.plotly_figure(data[PLOTLY])
        codes = (_joined(data[mime]) for mime in data if mime in SCRIPTS and HTML not in data)
        code = next((code for code in codes if code is not None), None)
        if code is None or BOKEH_EXEC in data:
            return code and self._libraries.bokeh_figure(code)
        place = '<div id="output"></div>' if "element" in code else ""
        return place + script(f"var element = document.getElementById('output'); {code}")

    def _notes(self, data: Json, clean: Json) -> Iterator[str]:
        """Yield why nothing is left of the bundle, or only the text that came with what was to be seen."""
        left_out = [mime for mime in data if mime not in clean and (not clean or _acts(mime))]
        if left_out:
            yield self._left_out(left_out)
        for mime in (SVG, MARKDOWN):
            if mime in data:
                yield _BOUNDS[mime]

    def _left_out(self, mimes: Iterable[str]) -> str:
        kinds = ", ".join(sorted(mime[:80] for mime in mimes))
        why = ", or is too much for one message" if self.allowance.is_used_up else ""
        return (
            f"[sandbox] Output of type {printable(kinds)} was left out: it could act in your browser{why} "
            f"('html' is {self._mode})."
        )


def _acts(mime: str) -> bool:
    """Tell whether a type is shown in place of the text beside it, and might act: what it said is missed."""
    return mime in SCRIPTS or mime in (HTML, PLOTLY) or VEGA.fullmatch(mime) is not None


def _joined(value: Any) -> str | None:
    """Return a text that may have come in pieces."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return None


def _same(clean: str, text: str, value: Any) -> Any:
    return value if clean == text else clean


def _view(value: Any) -> Json | None:
    if not isinstance(value, dict) or not isinstance(value.get("model_id"), str):
        return None
    versions = {
        name: value[name] for name in ("version_major", "version_minor") if isinstance(value.get(name), int)
    }
    return {**versions, "model_id": value["model_id"]} if _ID.fullmatch(value["model_id"]) else None
