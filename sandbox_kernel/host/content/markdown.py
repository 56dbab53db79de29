"""Markdown that only describes stays Markdown; the rest becomes HTML, to be treated as such.

JupyterLab lets the HTML within Markdown act, loads pictures from anywhere, and draws what a
diagram language says. What has none of these is recognised by what it does not contain; nothing
here has to agree with the browser's parser on anything finer.
"""

import re
import time
from typing import Final

from markdown_it import MarkdownIt
from msgspec import Struct, field

MAX_CONVERTED: Final = 64 * 1024
"""Characters of Markdown that are turned into HTML: a long document, which takes 0.1 s."""

AT_ONCE: Final = 0.5
"""Seconds of this process's time for a kernel's Markdown at once, and at most 0.2 s more to the next look
at the clock. Unbounded, the worst texts of this length took 1.2 s, each."""

SHARE: Final = 0.05
"""Seconds that come back in each: enough for a long document every two seconds."""

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_DESTINATION = re.compile(r"\]\(\s*<?([^)\s>]*)")
_PLAIN_DESTINATION = re.compile(r"(?:https?://|mailto:)[^\\&<]*|[^:\\&<]*", re.IGNORECASE)
_CHARACTER = re.compile(r"&(?:#|[A-Za-z][A-Za-z0-9]{1,31};)")
"""A character by its name: the dollar of a formula, or a letter of one of its macros."""

_ACTING = ("![", "]:", "mermaid")


def is_plain(text: str) -> bool:
    """Tell whether Markdown holds no HTML, character by name, picture, diagram, or link to no address."""
    if _TAG.search(text) or _CHARACTER.search(text) or any(word in text for word in _ACTING):
        return False
    return all(_PLAIN_DESTINATION.fullmatch(place) for place in _DESTINATION.findall(text))


class _OutOfTimeError(Exception):
    """There is no time left for this text."""


class Converter(Struct):
    """Turns the Markdown of one kernel into HTML, as long as that does not take long."""

    _left: float = AT_ONCE
    _looked: float = field(default_factory=time.monotonic)

    def html(self, text: str) -> str | None:
        """Return Markdown as HTML; None if it is too long, or has taken too long by now."""
        now = time.monotonic()
        self._left = min(AT_ONCE, self._left + SHARE * (now - self._looked))
        self._looked = now
        if len(text) > MAX_CONVERTED or self._left <= 0:
            return None
        began = time.thread_time()
        try:
            html: str = _timed(MarkdownIt("commonmark", {"html": True}), began + self._left).render(text)
        except _OutOfTimeError:
            return None
        finally:
            self._left -= time.thread_time() - began
        return html


def _timed(parser: MarkdownIt, end: float) -> MarkdownIt:
    """Have a parser look at this thread's time before each block and each part of a line."""

    def clock(*_: object) -> bool:
        if time.thread_time() > end:
            raise _OutOfTimeError
        return False  # it is no syntax

    parser.enable(["table", "strikethrough"])
    parser.block.ruler.before("table", "clock", clock)
    parser.inline.ruler.before("text", "clock", clock)
    return parser
