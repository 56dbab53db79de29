r"""Plain text and TeX.

Text is shown in terminals as well as in browsers. There, a control sequence can write to the
clipboard, rename the window, clear the screen, or make a link that is not what it says. Colours and
the few movements that progress bars make pass: with these a program can still write over its last
lines, or in the colour of the background, so that a terminal is no place to look for what it did.

TeX is typeset by MathJax, some of whose macros write HTML: links, styles, classes, identifiers.
"""

import re
from typing import Final

_ASKS_OR_SHIFTS: Final = ("\x1b", "\x05", "\x0e", "\x0f")
"""What begins a sequence, asks the terminal who it is, and changes its letters. Other controls do nothing."""

_LATER = re.compile("[\x80-\x9f]")
"""The same once more, as single characters beyond ASCII."""

_CONTROL = re.compile(
    r"(?P<kept>\x1b\[(?:(?P<looks>[0-9;:]*)m|[0-9]{0,3}[KABCDG]))"  # colours; moving, as progress bars do
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # commands with a text: links, clipboard, title
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # every other control sequence
    r"|\x1b+(?=\x1b)"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x05\x0e\x0f\x80-\x9f]"
)

_MACRO = re.compile(
    r"\\(?=(?:href|url|style|class|cssId|data|html\w*|require|setOptions|csname|unicode|action|toggle|mathtip"
    r"|texttip|includegraphics|bbox|mmlToken|(?:new|renew|provide)command|(?:re)?new(?:environment|tagform)"
    r"|DeclareMathOperator|DeclarePairedDelimiters?X?(?:PP)?|[gex]?def|let)(?![A-Za-z]))"
)
r"""Macros that write HTML or change what later macros mean, for the whole page: \def outlives its formula."""


def words(text: str) -> frozenset[str]:
    """Return the words of a list that is too long for quotes."""
    return frozenset(text.split())


def printable(text: str) -> str:
    """Return the text without control characters and sequences but for colours and progress bars'."""
    if not any(control in text for control in _ASKS_OR_SHIFTS) and (
        text.isascii() or not _LATER.search(text)
    ):
        return text
    return _CONTROL.sub(_kept, text)


def _kept(found: re.Match[str]) -> str:
    """Return a control sequence that may stay, or nothing."""
    return "" if _hides(found["looks"] or "") else found["kept"] or ""


def _hides(looks: str) -> bool:
    """Tell whether what sets colours also hides the text, or is in no order that tells."""
    if "8" not in looks:
        return False
    numbers = (number.partition(":") for number in looks.split(";"))
    for number, separator, _ in numbers:
        if number.lstrip("0") == "8":
            return True
        if number.lstrip("0") in {"38", "48", "58"} and not separator:
            parts = {"5": 1, "2": 3}.get(next(numbers, ("",))[0].lstrip("0"))
            if parts is None:
                return True
            for _part in range(parts):
                next(numbers, None)
    return False


def plain_tex(text: str) -> str:
    """Return the text with every TeX macro that could write HTML spelled out instead of obeyed."""
    if "\\" not in text:
        return text
    return _MACRO.sub(r"\\backslash{}", text)
