"""HTML that describes stays in the page; HTML that acts does not."""

import time

import pytest

from sandbox_kernel.host.content.html import MAX_AMPERSANDS, MAX_INLINE, MAX_NESTING, describe, reduce

DESCRIBES = [
    "<b>bold</b>",
    '<table border="1" class="dataframe"><thead><tr><th>a</th></tr></thead></table>',
    '<div class="alert alert-info">mind</div>',
    '<img src="data:image/png;base64,AAAA">',
    '<audio controls=""><source src="data:audio/wav;base64,AAAA" type="audio/wav"></audio>',
    "<details><summary>more</summary>text</details>",
    '<a href="https://jupyter.org" rel="noopener noreferrer">link</a>',
    '<progress value="3" max="10"></progress>',
    "<ul><li>one</li><li>two <i>three</i></li></ul>",
]


@pytest.mark.parametrize("html", DESCRIBES)
def test_descriptions_stay_as_they_are(html):
    """What only describes is written as it was."""
    assert describe(html).text == html


PANDAS = """<div>
<style scoped>
    .dataframe tbody tr th:only-of-type {
        vertical-align: middle;
    }
</style>
<table border="1" class="dataframe">
  <tbody>
    <tr style="text-align: right;">
      <th>0</th>
      <td>1 &lt; 2</td>
    </tr>
  </tbody>
</table>
</div>"""


def test_a_table_of_pandas_describes():
    """The style sheet of a data frame's table is not missed: the page has the same."""
    text = describe(PANDAS).text
    assert "<style" not in text
    assert '<tr style="text-align:right">' in text
    assert "1 &lt; 2" in text


ACTS = [
    "<script>1</script>",
    "<img src=x onerror=1>",
    "<img src=x/onerror=1>",
    "<svg onload=1></svg>",
    "<iframe></iframe>",
    "<form></form>",
    "<style>b {position: fixed}</style><b>x</b>",
    "<b style='position: fixed'>x</b>",
    "<b style='background: url(https://elsewhere.invalid)'>x</b>",
    "<input>",
    "<!doctype html><html></html>",
    "<custom-element></custom-element>",
    "<b title='>' onclick='1'>x</b>",
]


@pytest.mark.parametrize("html", ACTS)
def test_what_acts_is_recognised(html):
    """Scripts, handlers, forms, frames, style sheets, and what lies over the page, are no description."""
    assert describe(html) is None


@pytest.mark.parametrize(
    "html", [*ACTS, *(f"<b>kept</b>{html}" for html in ACTS), f"{PANDAS}<script>1</script>"]
)
def test_nothing_that_acts_is_left(html):
    """What is left of it describes."""
    left = reduce(html)
    if left is None:
        assert "!doctype" in html or "/onerror" in html  # out of order
        return
    assert describe(left.text) is not None
    for word in ("script", "onerror", "onclick", "onload", "iframe", "form", "url(", "position", "input"):
        assert word not in left.text.partition("title=")[0]
    assert ("kept" in html) == ("kept" in left.text)


PULLS = [
    ("<a href='javascript:alert(1)'>x</a>", "javascript"),
    ("<a href='&#106;ava&#x09;script:alert(1)'>x</a>", "script"),
    ("<a href='data:text/html,x'>x</a>", "data:"),
    ("<img src='/files/secret'>", "files"),
    ("<img src='https://elsewhere.invalid/?secret'>", "elsewhere"),
    ("<img src='data:text/html,x'>", "data:"),
    ("<b class='jp-Dialog' id='x' data-commandlinker-command='y'>b</b>", "jp-Dialog"),
    ("<b id='x' data-commandlinker-command='y'>b</b>", "command"),
    ("<p>$\\href{javascript:alert(1)}{x}$</p>", "\\href"),
    ("<p>$\\de<wbr>f\\frac#1#2{42}$</p>", "\\def"),
    ("<p>$\\d&#101;f\\frac#1#2{42}$</p>", "\\def"),
    ("<b style='margin-top: -500px; color: red'>b</b>", "margin"),
]


@pytest.mark.parametrize(("html", "word"), PULLS)
def test_what_a_description_may_not_hold_is_left_out(html, word):
    """Addresses that act or tell, the page's own classes and commands, macros that write HTML."""
    assert word not in describe(html).text


def test_every_property_of_a_style_is_one():
    """A height may have bounds on both sides."""
    assert describe("<b style='max-height: 3px; min-height: 1px'>x</b>").text.count("height") == 2
    assert describe("<b style='max-: 3px'>x</b>") is None


def test_a_place_to_break_a_word_joins_it():
    """MathJax reads a formula across it."""
    assert describe("<b>long<wbr>word</b>").text == "<b>longword</b>"


def test_pictures_of_other_machines_are_counted():
    """Who reads it can be told that something is missing."""
    assert describe("<img src='https://a.invalid/x'><img src='data:image/png;base64,A'>").withheld == 1


OUT_OF_ORDER = [
    "<div>" * (MAX_NESTING + 1) + "</div>" * (MAX_NESTING + 1),
    "<p>one<p>two",
    "<b><i>x</b></i>",
    "<p><div>x</div></p>",
    "<table><tr>text</tr></table>",
    "<table><b>x</b></table>",
    "<td>x</td>",
    "<a><a>x</a></a>",
    "<b title='>x</b>",
    "</b>",
    "<b>" + "x" * MAX_INLINE + "</b>",
    "<b>" + "&a" * MAX_AMPERSANDS + "&</b>",
]


@pytest.mark.parametrize("html", OUT_OF_ORDER)
def test_what_is_out_of_order_is_not_parsed(html):
    """Parsers move such elements about; how much comes of it nobody can say beforehand."""
    assert describe(html) is None
    assert reduce(html) is None


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200_000,
        "<p>" + "".join(f"<b a={number}>" for number in range(20_000)) + "</p>" + "<p>x</p>" * 20_000,
        "<script" * 140_000,
        "<" * 1_000_000,
        "<a " + "x=1 " * 250_000,
        "<!--" * 250_000,
        '<a b="' * 170_000,
        "<style>.dataframe " + "a " * 400_000,
        "<p>" + "&" * 1_000_000 + "</p>",
        '<p title="' + "&zz;" * 250_000 + '"></p>',
    ],
    ids=lambda html: html[:12],
)
def test_a_megabyte_of_traps_is_read_quickly(html):
    """The time to read HTML is in proportion to its length, whatever it is (seconds of this thread's own)."""
    before = time.thread_time()
    describe(html), reduce(html)
    assert time.thread_time() - before < 10
