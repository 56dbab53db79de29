"""The frame holds what acts, whatever that holds."""

from html.parser import HTMLParser

import pytest

from sandbox_kernel.host.content.frame import LEAST, MAX_FRAMED, MOST, USUAL, framed, height_of


class Elements(HTMLParser):
    """Notes every element, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


TRICKS = [
    "plain",
    "'></iframe><script>alert(1)</script>",
    "&#39;></iframe><script>alert(1)</script>",
    "&amp;#39;></iframe><script>alert(1)</script>",
    '"></iframe>',
    "</iframe>",
    "</script>",
    "\0<b>",
]


@pytest.mark.parametrize("html", TRICKS)
def test_nothing_gets_out(html):
    """The page sees one element; the frame in it one more, and that the HTML as it was."""
    outer = Elements(framed(html)).found
    assert [tag for tag, _ in outer] == ["iframe"]
    assert outer[0][1]["sandbox"] == "allow-scripts"
    inner = Elements(outer[0][1]["srcdoc"]).found
    assert [tag for tag, _ in inner] == ["base", "meta", "meta", "style", "iframe"]
    assert inner[-1][1]["sandbox"] == "allow-scripts"
    assert inner[-1][1]["srcdoc"].endswith(html)


def test_the_policy_stands_before_what_it_binds():
    """It lets scripts run, loads from a short list of places, and leaves for none."""
    policy = dict(Elements(Elements(framed("x")).found[0][1]["srcdoc"]).found[2][1])["content"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert (
        rules["default-src"] == rules["frame-src"] == rules["form-action"] == rules["base-uri"] == ["'none'"]
    )
    for places in rules.values():
        assert not {"*", "https:", "http:", "'self'"} & set(places)


def test_too_much_is_not_framed():
    """Escaping cannot make more of it than the cap."""
    assert framed("x" * (MAX_FRAMED + 1)) is None
    assert framed("'" * (MAX_FRAMED // 8)) is None
    assert len(framed("'" * 100_000)) < 1_000_000


HEIGHTS = [
    ('<div style="height:525px; width:100%"></div><script>1</script>', 565),
    ('<script>draw({"height": 300, "width": 500})</script>', 340),
    ("<script>draw()</script><div></div>", USUAL),
    ("<script>quiet()</script>", LEAST),
    ("<table>" + "<tr><td>x</td></tr>" * 10 + "</table>", 300),
    ("<table>" + "<tr><td>x</td></tr>" * 1000 + "</table>", MOST),
    ("<b>x</b>", LEAST),
    ('<div style="height:5000px">', MOST),
]


@pytest.mark.parametrize(("html", "height"), HEIGHTS)
def test_the_height_is_guessed(html, height):
    """It is what the HTML says of itself, or what its lines need, within bounds."""
    assert height_of(html) == height
