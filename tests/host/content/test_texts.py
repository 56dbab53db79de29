"""Text is text, in a terminal and in a formula."""

import time

import pytest

from sandbox_kernel.host.content.texts import plain_tex, printable

KEPT = [
    "plain\ttext\r\nand ünïcode \u2028",
    "\x1b[1;31mred\x1b[0m",
    "\x1b[38;5;208morange\x1b[m",
    "\x1b[38;5;8;1mgrey \x1b[48;2;8;8;8mon black\x1b[38:5:8m",
    "\x1b[28mshown",
    "50%\r\x1b[K100%",
    "two bars\x1b[A\x1b[2K",
    "ding\x07",
    "over\bwritten",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_programs_print_stays(text):
    """Colours, progress bars, tabs and bells."""
    assert printable(text) is text or printable(text) == text


CONTROLS = [
    ("\x1b]52;c;c2VjcmV0\x07", ""),  # to the clipboard
    ("\x1b]0;title\x1b\\", ""),
    ("\x1b]8;;https://elsewhere.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x1bP+q544e\x1b\\", ""),  # asks the terminal, whose answer would be typed
    ("\x1b[6n\x1b[c", ""),
    ("\x1b[?1049h", ""),
    ("\x1b[J\x1b[2J\x1b[3J", ""),
    ("\x1b[99999A", ""),
    ("\x1b[8m\x1b[1;08m\x1b[38;5;8;8m\x1b[138;5;8m\x1b[38;8m\x1b[8:1m", ""),
    ("\x1bc", ""),
    ("\x9d52;c;x\x9c", "52;c;x"),
    ("\x9b31m", "31m"),
    ("a\x1b", "a"),
    ("\x1b\x1b\x1b[6n", ""),
    ("\x1b\x1b]52;c;x\x07", ""),
    ("\x05\x0e\x0f", ""),
]


@pytest.mark.parametrize(("text", "left"), CONTROLS)
def test_what_commands_a_terminal_goes(text, left):
    """Clipboard, titles, hidden links, questions, other screens."""
    assert printable(text) == left


def test_nothing_is_left_to_be_put_together():
    """What is left of a sequence, and what comes after it, make no new one."""
    for first in (text for text, _ in CONTROLS):
        for second in (text for text, _ in CONTROLS):
            assert printable(printable(first + second)) == printable(first + second)


@pytest.mark.parametrize("text", ["\x1b" * 1_000_000, "\x1b]" * 500_000, "\x1b[1" * 300_000])
def test_a_million_controls_are_read_quickly(text):
    """The time is in proportion to the length (seconds of this thread's own)."""
    before = time.thread_time()
    printable(text)
    assert time.thread_time() - before < 5


MACROS = [
    *("href", "style", "class", "cssId", "require", "let", "def", "html", "url", "bbox", "mmlToken"),
    *("newenvironment", "renewenvironment", "newcommand", "renewcommand", "providecommand", "gdef"),
    *("DeclareMathOperator", "DeclarePairedDelimiters", "newtagform"),
]


@pytest.mark.parametrize("macro", MACROS)
def test_macros_that_write_html_are_spelled_out(macro):
    """They are shown, not obeyed."""
    assert f"\\{macro}" not in plain_tex(f"$\\{macro}{{x}}{{y}}$")
    assert plain_tex(f"$\\{macro}{{x}}$").count(macro) == 1


@pytest.mark.parametrize(
    "text", ["no formula", "$\\alpha + \\frac{1}{2}$", "\\classical \\stylesheet \\urls \\newline \\letter"]
)
def test_other_macros_stay(text):
    """Formulas are formulas."""
    assert plain_tex(text) == text
