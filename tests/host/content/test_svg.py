"""SVG draws, and does nothing else."""

import pytest

from sandbox_kernel.host.content.svg import MAX_DRAWING, MAX_ELEMENTS, drawing

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inner, attributes=""):
    return f"{OPEN}{attributes}>{inner}</svg>"


KEPT = [
    '<rect width="5" height="5" style="fill:#ff0000;stroke:none"></rect>',
    '<linearGradient id="g"><stop offset="0"></stop></linearGradient><path fill="url(#g)"></path>',
    '<use xlink:href="#g"></use><text x="1">1 &lt; 2</text>',
    '<image href="data:image/png;base64,AAAA"></image>',
    "<style>rect{fill:red}</style>",
    "<style>rect{fill:red} a&gt;b{}</style>",
]


@pytest.mark.parametrize("inner", KEPT)
def test_what_draws_stays(inner):
    """Shapes, gradients, references within the picture, embedded images and styles are as they were."""
    assert drawing(svg(inner)) == svg(inner)


GONE = [
    "<script>1</script>",
    "<script xmlns='http://www.w3.org/1999/xhtml'>1</script>",
    "<x:script xmlns:x='http://www.w3.org/2000/svg'>1</x:script>",
    "<foreignObject><img xmlns='http://www.w3.org/1999/xhtml' src='x' onerror='1'/></foreignObject>",
    "<animate attributeName='href' to='javascript:1'/>",
    "<set attributeName='onclick' to='1'/>",
    "<iframe/>",
    "<style>@import 'https://elsewhere.invalid';</style>",
    "<style>rect{fill:u\\72l(https://elsewhere.invalid)}</style>",
    "<style>rect{fill:ur<!-- -->l(https://elsewhere.invalid)}</style>",
    "<style>rect{fill:ur<![CDATA[l(]]>https://elsewhere.invalid)}</style>",
    "<style>rect{fill:ur&#108;(https://elsewhere.invalid)}</style>",
    "<style>" + "x" * 70_000 + "{fill:u" + "rl(https://elsewhere.invalid)}</style>",
    "<!-- script --><?script 1?>",
]


@pytest.mark.parametrize("inner", GONE)
def test_what_acts_goes(inner):
    """Scripts, foreign objects, animations and what loads are left out."""
    text = drawing(svg(inner))
    for word in ("script", "onerror", "animate", "onclick", "iframe", "elsewhere", "foreign"):
        assert word not in text


ATTRIBUTES = [
    " onload='1'",
    " ONLOAD='1'",
    " style='background:url(https://elsewhere.invalid)'",
    " fill='url(https://elsewhere.invalid)'",
    " xlink:href='https://elsewhere.invalid'",
    " href='data:image/svg+xml,elsewhere'",
]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_attributes_that_act_go(attribute):
    """Handlers and addresses of other machines are left out."""
    assert drawing(svg("<g></g>", attribute)) == svg("<g></g>")


def test_links_lose_their_address_not_their_text():
    """What was a link is drawn."""
    assert drawing(svg("<a href='javascript:1'><text>x</text></a>")) == svg("<text>x</text>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no SVG",
        "<svg>without a namespace</svg>",
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
        OPEN + ">",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>" + svg("<text>&b;</text>"),
        svg("<g>" * 300 + "</g>" * 300),
        svg("<style>rect{fill:ur<a/>l(https://elsewhere.invalid)}</style>"),
        svg("<style>rect{fill:ur<script/>l(https://elsewhere.invalid)}</style>"),
        "\ud800",
    ],
    ids=lambda text: text[-60:-30],
)
def test_what_is_no_svg_is_nothing(text):
    """Broken XML, entities and endless nesting are not drawn."""
    assert drawing(text) is None


def test_there_is_an_end_to_a_picture():
    """What takes long to read and write anew is not drawn."""
    assert drawing(svg("<g/>" * (MAX_ELEMENTS - 1))) is not None
    assert drawing(svg("<g/>" * MAX_ELEMENTS)) is None
    assert drawing(svg("<a/>" * MAX_ELEMENTS)) is None
    assert drawing(svg("x" * MAX_DRAWING)) is None
