"""Text from a kernel, made fit for a terminal."""

import time

import pytest

from sandbox_kernel.cli.escape import MAX_LINE, Lines, plain, safe_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[1;38;5;8mgrey", "\x1b[1;38;5;8mgrey\x1b[0m"),
        ("\x1b[8mhidden", "hidden\x1b[0m"),
        ("\x1b[0;8mhidden", "hidden\x1b[0m"),
        ("\x1b[5mblinking", "blinking\x1b[0m"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b[31", "␛[31"),
        ("\x1b" * 3 + "[31m", "␛␛\x1b[31m\x1b[0m"),
        ("\x9b31m", "<U+009B>31m"),
        ("\x7f\x00", "␡␀"),
        ("user\u202etxt.exe", "user<U+202E>txt.exe"),
        ("\u2066\u200f\u2028", "<U+2066><U+200F><U+2028>"),
        ("\ud800", "<U+D800>"),
        ("Grüße 日本 😀 👩\u200d👩", "Grüße 日本 😀 👩\u200d👩"),
    ],
)
def test_safe_line(text: str, shown: str) -> None:
    """Colours stay, every other control character becomes visible."""
    assert safe_line(text, colour=True) == shown


def test_without_colour() -> None:
    """Where there are no colours, sequences for them vanish."""
    assert safe_line("\x1b[31mred\x1b[0m \x1b[2J", colour=False) == "red ␛[2J"


def test_plain_is_one_line() -> None:
    """What goes into a sentence has no line breaks and no colours."""
    assert plain("a\nb\r\nc\t\x1b[31md\r") == "a b c d␍"


@pytest.mark.parametrize(
    "control", [chr(code) for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n"]
)
def test_no_control_character_passes(control: str) -> None:
    """Not one control character passes by itself."""
    assert control not in safe_line(f"a{control}b", colour=True)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("1%\r2%\r3%\n", ["3%"]),
        ("prompt> \roverwritten\n", ["overwritten"]),
        ("no end", ["no end"]),
        ("\x1b[31mred\x1b[39m\n", ["\x1b[31mred\x1b[39m\x1b[0m"]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    """A stream becomes the same lines whole and character by character."""
    whole = Lines(colour=True)
    assert whole.feed(text) + whole.flush() == lines
    trickled = Lines(colour=True)
    assert [line for character in text for line in trickled.feed(character)] + trickled.flush() == lines


def test_split_sequence() -> None:
    """A sequence that arrives in two pieces is no more dangerous than in one."""
    lines = Lines(colour=True)
    assert lines.feed("\x1b") + lines.feed("]0;title\x07\n") == ["␛]0;title␇"]


def test_endless_line() -> None:
    """A line without end is broken, so that it cannot fill the memory."""
    lines = Lines(colour=True)
    assert [len(line) for line in lines.feed("x" * (2 * MAX_LINE + 5))] == [MAX_LINE, MAX_LINE]
    assert lines.flush() == ["xxxxx"]


def test_linear_time() -> None:
    """A flood of sequences and returns takes no more than its share of time."""
    began = time.process_time()
    lines = Lines(colour=True)
    for _ in range(20):
        lines.feed("\x1b[31m\x1b]\r" * 20_000 + "\n")
        lines.feed("\x1b[" + "1;" * 100_000)
        lines.feed("x\n" * 50_000)
    assert time.process_time() - began < 10
