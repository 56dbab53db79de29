"""Markdown that only describes is recognised."""

import pytest

from sandbox_kernel.host.content.markdown import MAX_CONVERTED, MAX_SECONDS, Converter, is_plain

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


def test_there_is_an_end_to_it():
    """A very long text is not converted, nor is any after what took very long."""
    assert Converter().html("x" * (MAX_CONVERTED + 1)) is None
    assert Converter(MAX_SECONDS + 1).html("x") is None
    converter = Converter()
    assert converter.html("x")
    assert 0 < converter._spent < MAX_SECONDS
