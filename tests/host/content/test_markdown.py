"""Markdown that only describes is recognised."""

import time

import pytest

from sandbox_kernel.host.content.markdown import AT_ONCE, MAX_CONVERTED, Converter, is_plain

PLAIN = [
    "# title\n\n- *one*\n- `two`\n\n> quoted & said, R&D",
    "see [here](https://jupyter.org/a_(b)?c=d), [there](mailto:a@b.c), [below](#title), [file](data/f.csv)",
    "a < b, 1 <2, $\\alpha_1 < 3$",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "```python\nx[0](1)\n```",
]
ACTING = [
    "<b>x</b>",
    "`<script>`",
    "a<!-- -->b",
    "![picture](https://elsewhere.invalid)",
    "[x](javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x]( \n javascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\\script:alert(1))",
    "[x](data:text/html,x)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "&#36;\\hr&#101;f{https://elsewhere.invalid}{x}&#36;",
    "&dollar;\\hr&#x65f{https://elsewhere.invalid}{x}&dollar;",
    "```mermaid\ngraph TD\n```",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_markdown_is_plain(text):
    """Titles, lists, code, tables, formulas and links to addresses."""
    assert is_plain(text)


@pytest.mark.parametrize("text", ACTING)
def test_other_markdown_is_not(text):
    """HTML, pictures, diagrams, and links that may be scripts, however written."""
    assert not is_plain(text)
    assert isinstance(Converter().html(text), str)


ENDLESS = {
    "pictures": "![" * (MAX_CONVERTED // 2),
    "brackets": "[" * MAX_CONVERTED,
    "table": "|a" * 250 + "\n" + "|-" * 250 + "\n" + "|\n" * (MAX_CONVERTED // 2 - 600),
}


def test_a_long_text_is_not_converted():
    """Its time would grow faster than its length."""
    assert Converter().html("x" * MAX_CONVERTED)
    assert Converter().html("x" * (MAX_CONVERTED + 1)) is None


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_what_takes_long_is_given_up(text):
    """However often it is shown, and though it is short enough, it takes little of this process's time."""
    converter = Converter(AT_ONCE / 10)  # what even a fast machine needs more than
    began = time.thread_time()
    assert [converter.html(text) for _ in range(20)] == [None] * 20
    assert time.thread_time() - began < 4 * AT_ONCE  # unbounded: about twenty seconds


def test_what_takes_long_adds_up():
    """What is shown again and again has the time of one text."""
    converter, text = Converter(AT_ONCE / 10), "*a*b_\n\n" * 200
    assert None in (converter.html(text) for _ in range(1000))


def test_time_comes_back():
    """After a while there is some again, and never more than at the beginning."""
    now = time.monotonic()
    assert Converter(0, now).html("x") is None
    assert Converter(0, now - 10).html("x")
    rested = Converter(0, now - 10_000)
    assert rested.html("x")
    assert 0 < rested._left < AT_ONCE
