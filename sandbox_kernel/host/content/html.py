"""HTML that only describes, and how to tell it from HTML that acts.

What may stand in the page is written anew by nh3 (ammonia, html5ever: it parses as browsers do)
from the lists below. Before, it is read here, strictly: HTML in order nests properly and not deep.
That is no question of taste: parsers, and browsers, take unclosed elements along into every
paragraph that follows, so that a hundred kilobytes out of order become gigabytes.
"""

import re
from collections.abc import Iterator
from typing import Final

import nh3
from msgspec import Struct
from msgspec.structs import replace

from sandbox_kernel.host.content.texts import plain_tex, words

MAX_INLINE: Final = 1 << 20
"""Characters of HTML that may stand in the page: a table of 20,000 cells, read and written in 0.6 s."""

MAX_AMPERSANDS: Final = 50_000
"""In HTML that may stand in the page: nh3's time grows with the square of their number, to 0.1 s."""

MAX_NESTING: Final = 100
"""Elements within elements, at most: tables in tables in lists have twenty."""

VOID: Final = words("area base br col embed hr img input link meta param source track wbr")
"""Elements without an end."""

TAGS: Final = words(
    "a abbr audio b bdi bdo blockquote br caption center cite code col colgroup data dd del details dfn "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark "
    "meter ol p pre progress q rp rt ruby s samp section small source span strike strong sub summary "
    "sup table tbody td tfoot th thead time tr tt u ul var video wbr"
)
"""Elements that describe. None of them loads, runs or submits anything, given the attributes below."""

_IN_PARAGRAPHS: Final = words(
    "a abbr audio b bdi bdo br cite code data del dfn em font i img ins kbd mark meter progress q rp rt "
    "ruby s samp small source span strike strong sub sup time tt u var video wbr"
)
_TABLE_PARTS: Final = words("caption col colgroup tbody td tfoot th thead tr")
_TABLE_FRAMES: Final = words("table colgroup tbody tfoot thead tr")
"""Elements that hold parts of a table and nothing else: parsers move the rest out of the table."""

_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": set(words("style title dir lang align valign width height bgcolor color")),
    "a": {"href"},
    "audio": {"controls", "src"},
    "col": {"span"},
    "colgroup": {"span"},
    "data": {"value"},
    "details": {"open"},
    "font": {"face", "size"},
    "img": {"src", "alt"},
    "li": {"value"},
    "meter": {"value", "min", "max", "low", "high", "optimum"},
    "ol": {"start", "type", "reversed"},
    "progress": {"value", "max"},
    "source": {"src", "type"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "video": {"controls", "src", "loop", "muted"},
}
_CLASSES: Final = {
    "div": {"alert", "alert-info", "alert-success", "alert-warning", "alert-danger", "alert-block"},
    "table": {"dataframe"},
}
"""The page's own style sheet gives a meaning to many classes, a dialogue over the whole page among them."""

_STYLES: Final = words(
    "background-color border border-bottom border-collapse border-color border-left border-radius "
    "border-right border-spacing border-style border-top border-width caption-side color direction font "
    "font-family font-size font-style font-variant font-weight height letter-spacing line-height "
    "max-height max-width min-height min-width overflow overflow-wrap overflow-x overflow-y padding "
    "padding-bottom padding-left padding-right padding-top table-layout text-align text-decoration "
    "text-indent text-transform vertical-align white-space width word-break word-wrap"
)
"""None of these can load anything, or place something over what it does not belong to."""

_DISSOLVED: Final = frozenset({"wbr"})
"""Elements that go while what is around them stays: MathJax reads a macro across one."""

_EMBEDDED: Final = re.compile(
    r"data:(?:image/(?:png|jpeg|gif|webp|bmp|svg\+xml)|(?:audio|video)/[\w.+-]+)[;,]", re.IGNORECASE
)
_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[A-Za-z][\w:-]*+)
        (?P<attributes>(?:\s++[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'=<>`]++))?)*+)\s*+/?>""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'=<>`]++)))?""")
_COMMENT = re.compile(r"<!--[^<>]*-->")
_TABLE_STYLE = re.compile(
    r"<style[^<>]*>\s*+(?:\.dataframe[\w\s.:>,*-]*+\{[\w\s:;%.#-]*+\}\s*+)++</style>\s*+", re.IGNORECASE
)
"""What pandas and polars put before their tables: it says what the page says of a table anyway."""

_ACTING = re.compile(
    r"<(script|style|title|textarea|noscript|template|iframe|object|svg|math|head|select|button)\b",
    re.IGNORECASE,
)


_RUNNING: Final = frozenset({"script", "iframe", "object"})
"""Those of them without which something is missed; styles, titles and their like are none of that."""


class Inline(Struct, frozen=True):
    """HTML that may stand in the page."""

    text: str
    withheld: int = 0
    """Pictures and recordings of other machines that it asked for and no longer asks for."""
    left_out: int = 0
    """Scripts and frames that stood in it."""


class _OutOfOrderError(Exception):
    """HTML that does not nest as it should, or too deep."""


def describe(html: str) -> Inline | None:
    """Return HTML that only describes as it may stand in the page; None if it acts, or is out of order."""
    html = _plain(html)
    try:
        harmless = _is_short(html) and all(map(_is_harmless, _tags(html)))
    except _OutOfOrderError:
        return None
    return _written(html) if harmless else None


def reduce(html: str) -> Inline | None:
    """Return what of the HTML describes; None if it is out of order, so that nothing can be told apart."""
    acting: list[str] = []
    html = _plain("".join(_without_acting(html, acting)))
    try:
        if not _is_short(html):
            return None
        for _ in _tags(html):
            pass
    except _OutOfOrderError:
        return None
    return replace(_written(html), left_out=sum(name in _RUNNING for name in acting))


def _is_short(html: str) -> bool:
    return len(html) <= MAX_INLINE and html.count("&") <= MAX_AMPERSANDS


def _plain(html: str) -> str:
    return _COMMENT.sub("", _TABLE_STYLE.sub("", html) if "<style" in html else html)


def _without_acting(html: str, names: list[str]) -> Iterator[str]:
    """Yield the text around elements that act and whose content is none of the page's; note their names."""
    lower, position = html.lower(), 0
    while found := _ACTING.search(html, position):
        yield html[position : found.start()]
        names.append(found[1].lower())
        end = lower.find("</" + names[-1], found.end())
        end = lower.find(">", end) if end >= 0 else end
        if end < 0:
            return
        position = end + 1
    yield html[position:]


def _tags(html: str) -> Iterator[re.Match[str]]:
    """Yield every start tag.

    :raises _OutOfOrderError: the elements do not nest, or parsers would move them about.
    """
    nest: list[str] = []
    position = 0
    while (start := html.find("<", position)) >= 0:
        if nest and nest[-1] in _TABLE_FRAMES and not html[position:start].isspace() and start > position:
            raise _OutOfOrderError
        tag = _TAG.match(html, start)
        if tag is None:
            if html[start + 1 : start + 2] in "/!?" or html[start + 1].isalpha():
                raise _OutOfOrderError
            position = start + 1
            continue
        name = tag["name"].lower()
        if tag["end"]:
            if not nest or nest.pop() != name:
                raise _OutOfOrderError
        else:
            _check_place(name, nest)
            if name not in VOID:
                nest.append(name)
            yield tag
        position = tag.end()
    if nest:
        raise _OutOfOrderError


def _check_place(name: str, nest: list[str]) -> None:
    part = name in _TABLE_PARTS
    in_frame = bool(nest) and nest[-1] in _TABLE_FRAMES
    if part != in_frame or len(nest) >= MAX_NESTING:
        raise _OutOfOrderError
    if ("p" in nest and name not in _IN_PARAGRAPHS) or (name == "a" and "a" in nest):
        raise _OutOfOrderError


def _is_harmless(tag: re.Match[str]) -> bool:
    if tag["name"].lower() not in TAGS:
        return False
    for name, *values in _ATTRIBUTE.findall(tag["attributes"]):
        if name.lower().startswith("on"):
            return False
        if name.lower() == "style" and not _is_plain_style("".join(values)):
            return False
    return True


def _is_plain_style(style: str) -> bool:
    names = (part.partition(":")[0].strip().lower() for part in style.split(";"))
    return all(not name or name in _STYLES or name.startswith("margin") for name in names)


def _written(html: str) -> Inline:
    withheld = 0

    def attribute(_: str, name: str, value: str) -> str | None:
        nonlocal withheld
        if name == "src" and _EMBEDDED.match(value) is None:
            withheld += 1
            return None
        if name == "href" and value.strip().lower().startswith("data:"):
            return None
        return value

    text = nh3.clean(
        html,
        tags=set(TAGS - _DISSOLVED),
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        allowed_classes=_CLASSES,
        filter_style_properties=set(_STYLES),
        url_schemes={"http", "https", "mailto", "data"},
    )
    return Inline(plain_tex(text), withheld)
