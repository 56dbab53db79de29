"""Texts of strangers (names of files, what kernels say) as a report may hold them."""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

MAX_SENTENCE: Final = 2_000
"""Characters of a sentence in a report: an error's text is chosen by the notebook."""

_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML 1.0 document may hold, escaped or not."""
_BYTE: Final = re.compile("[\udc80-\udcff]")
"""How Python has a byte of a file's name that is no text."""
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def readable(path: Path | str) -> str:
    r"""Return a file's name, or a text with one in it; bytes that are no text are written \xff."""
    return _BYTE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(path))


def one_line(text: str) -> str:
    """Return a text cut to a readable length, on one line, with what cannot be seen made visible."""
    cut = text if len(text) <= MAX_SENTENCE else f"{text[: MAX_SENTENCE - 1]}…"
    return _UNSEEN.sub(_visible, cut)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in (9, 10, 13):
        return " "
    return chr(0x2400 + code) if code < 0x20 else f"<U+{code:04X}>"


def for_xml(text: str) -> str:
    """Return a text without the characters that no XML document may hold."""
    return _NOT_IN_XML.sub("\ufffd", text)


def link(target: Path, page: Path) -> str:
    """Return the address of a file, relative to the folder of the page that names it.

    It begins with a dot or a slash, so that no name of a file can pass for `javascript:` or another host.
    """
    return quote(os.fsencode("./" + os.path.relpath(target, page.parent)), safe="/")
