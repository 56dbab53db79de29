"""SVG that only draws.

JupyterLab shows SVG as an image, in which nothing runs and nothing is loaded; other readers of a
notebook put it into their page as it is. So it is written anew from a list of what it may hold.
"""

import re
from html import escape
from typing import Final
from xml.parsers import expat

from sandbox_kernel.host.content.texts import words

MAX_DRAWING: Final = 4 << 20
"""Characters of one picture: a scatter plot of 40,000 points."""

MAX_ELEMENTS: Final = 100_000
"""Elements of one picture, read and written in 0.3 s."""

MAX_NESTING: Final = 200
"""Groups within groups, at most: drawing programs make some dozens."""

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_PREFIXES: Final = {"": "", _XLINK: "xlink:", _XML: "xml:"}

ELEMENTS: Final = words(
    "svg g defs symbol use path rect circle ellipse line polyline polygon text tspan textPath image "
    "linearGradient radialGradient stop clipPath mask pattern marker filter title desc style switch "
    "feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting "
    "feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR "
    "feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting "
    "feSpotLight feTile feTurbulence"
)
"""Elements that draw. Not among them: scripts, foreign objects, links, and animations (they make links)."""

_UNWRAPPED: Final = frozenset({"a"})
"""Elements that go while their content stays."""

_READ: Final = ELEMENTS | _UNWRAPPED

_ELSEWHERE = re.compile(r"url\(\s*[\"']?(?!#)|@|javascript:|\\|expression|image-set|src\(", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][\w.-]*")
_EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp)[;,]", re.IGNORECASE)

_IN_QUOTES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)
"""How a value's characters are written; spaces as they are, or they would be read as others. The standard
library's own way (`xml.sax.saxutils`) comes with what opens URLs, for which every kernel would wait."""


class _NotSvgError(Exception):
    """No SVG, or one of which the parser would have to be afraid."""


class _Copy:
    """Writes what may stay while a parser reads."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._elements = 0
        self._skipped = 0
        self._style: list[str] = []
        self._nest: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if not self._nest and (space, local) != (_SVG, "svg"):
            raise _NotSvgError
        self._elements += 1
        if len(self._nest) >= MAX_NESTING or self._elements > MAX_ELEMENTS:
            raise _NotSvgError
        if self._nest and self._nest[-1] == "style" and not self._skipped:
            raise _NotSvgError  # a word of the style sheet in two
        self._nest.append(local)
        if self._skipped or space != _SVG or local not in _READ:
            self._skipped += 1
        elif local not in _UNWRAPPED:
            spaces = "" if len(self._nest) > 1 else f' xmlns="{_SVG}" xmlns:xlink="{_XLINK}"'
            self.text.append(f"<{local}{spaces}{''.join(map(_attribute, attributes.items()))}>")

    def end(self, _: str) -> None:
        local = self._nest.pop()
        if self._skipped:
            self._skipped -= 1
            return
        if local == "style":
            self._end_style()
        if local not in _UNWRAPPED:
            self.text.append(f"</{local}>")

    def characters(self, data: str) -> None:
        if not self._skipped:
            in_style = self._nest[-1] == "style"
            (self._style if in_style else self.text).append(data if in_style else escape(data, quote=False))

    def _end_style(self) -> None:
        """Write a style sheet, if nothing in the whole of it leads elsewhere: it may have come in pieces."""
        style = "".join(self._style)
        self._style.clear()
        if not _ELSEWHERE.search(style):
            self.text.append(escape(style, quote=False))


def _attribute(item: tuple[str, str]) -> str:
    space, _, name = item[0].rpartition(" ")
    value = item[1]
    if space not in _PREFIXES or name.lower().startswith("on") or not _NAME.fullmatch(name):
        return ""
    refers = name.lower() in {"href", "src"}
    allowed = value.startswith("#") or _EMBEDDED.match(value) if refers else not _ELSEWHERE.search(value)
    return f' {_PREFIXES[space]}{name}="{value.translate(_IN_QUOTES)}"' if allowed else ""


def drawing(svg: str) -> str | None:
    """Return the SVG with nothing in it but what draws; None if it is none, or too much."""
    if len(svg) > MAX_DRAWING:
        return None
    copy = _Copy()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = copy.start
    parser.EndElementHandler = copy.end
    parser.CharacterDataHandler = copy.characters
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(svg, True)
    except (expat.ExpatError, _NotSvgError, ValueError):
        return None
    return "".join(copy.text)


def _refuse_entity(*_: object) -> None:
    raise _NotSvgError
