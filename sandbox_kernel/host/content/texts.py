r"""Plain text and TeX.

Text is shown in terminals as well as in browsers. There, a control sequence can write to the
clipboard, rename the window, hide what was printed, or make a link that is not what it says;
colours and the few movements that progress bars make cannot.

TeX is typeset by MathJax, some of whose macros write HTML: links, styles, classes, identifiers.
"""

import re
from typing import Final

_ASKS_OR_SHIFTS: Final = ("\x1b", "\x05", "\x0e", "\x0f")
"""What begins a sequence, asks the terminal who it is, and changes its letters. Other controls do nothing."""

_LATER = re.compile("[\x80-\x9f]")
"""The same once more, as single characters beyond ASCII."""

_CONTROL = re.compile(
    r"(?P<kept>\x1b\[[0-9;:]*[mKABCDGJ])"  # colours; clearing and moving, as progress bars do
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
    return _CONTROL.sub(lambda found: found["kept"] or "", text)


def plain_tex(text: str) -> str:
    """Return the text with every TeX macro that could write HTML spelled out instead of obeyed."""
    if "\\" not in text:
        return text
    return _MACRO.sub(r"\\backslash{}", text)
