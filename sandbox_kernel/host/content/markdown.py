"""Markdown that only describes stays Markdown; the rest becomes HTML, to be treated as such.

JupyterLab lets the HTML within Markdown act, loads pictures from anywhere, and draws what a
diagram language says. What has none of these is recognised by what it does not contain; nothing
here has to agree with the browser's parser on anything finer.
"""

import re
import time
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt

MAX_CONVERTED: Final = 64 * 1024
"""Characters of Markdown that are turned into HTML: a long document. The worst of them takes seconds."""

MAX_SECONDS: Final = 10.0
"""Of this process's time, for all the Markdown of one kernel: of ordinary documents, a thousand."""

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


@dataclass(slots=True)
class Converter:
    """Turns the Markdown of one kernel into HTML, until it has taken too long."""

    _spent: float = 0.0

    def html(self, text: str) -> str | None:
        """Return Markdown as HTML; None if there is, or was before, too much of it."""
        if len(text) > MAX_CONVERTED or self._spent > MAX_SECONDS:
            return None
        before = time.thread_time()
        html: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
        self._spent += time.thread_time() - before
        return html
