"""A frame that shows what acts, and that the page around it is out of reach of.

Two frames, one in the other. The outer one holds nothing of the kernel's but the inner one, and
a content security policy, which the inner one inherits and cannot change: what it may load, and that
it may not leave for another address, which would carry out what the code has read. Both are
sandboxed: an origin of their own, shared with nobody, without storage, cookies, forms, downloads,
windows and dialogues.
"""

import re
from typing import Final

PLACES: Final = (
    *("https://cdn.jsdelivr.net", "https://cdnjs.cloudflare.com", "https://unpkg.com", "https://cdn.plot.ly"),
    *("https://cdn.bokeh.org", "https://code.jquery.com", "https://netdna.bootstrapcdn.com"),
    *("https://maxcdn.bootstrapcdn.com", "https://stackpath.bootstrapcdn.com"),
)
"""Where plotting libraries keep their scripts, and anybody else's. How often each file is asked for is
published (jsDelivr, npm; OpenStreetMap for tiles): slowly, that carries out what a kernel has read."""

TILES: Final = (
    *(
        "https://tile.openstreetmap.org",
        "https://*.tile.openstreetmap.org",
        "https://*.basemaps.cartocdn.com",
    ),
    "https://server.arcgisonline.com",
)
"""Where maps have their background from."""

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob: data: {' '.join(PLACES)}",
        f"style-src 'unsafe-inline' data: {' '.join(PLACES)}",
        f"font-src data: {' '.join(PLACES)}",
        f"img-src data: blob: {' '.join((*PLACES, *TILES))}",
        f"connect-src data: blob: {' '.join((*PLACES, *TILES))}",
        "media-src data: blob:",
        "worker-src blob: data:",
        "frame-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
    )
)
_BASE: Final = "<base href=about:blank><meta name=referrer content=no-referrer>"
_FILL: Final = (
    "<style>html,body{margin:0;height:100%}iframe{display:block;border:0;width:100%;height:100%}</style>"
)
_PAPER: Final = (
    "<!doctype html><meta charset=utf-8>"
    "<style>html{background:#fff;color:#000;font-family:sans-serif}</style>"
)

MAX_FRAMED: Final = 32 << 20
"""Characters of a frame: three times plotly.js. Escaping can make nine characters of one."""

LEAST, USUAL, MOST = 60, 450, 900
"""Heights of a frame in pixels: a line, a chart, and about a screen. It can be pulled larger."""

_HEIGHT = re.compile(
    r"""["']?(?:min-)?height["']?\s{0,3}[:=]\s{0,3}["']?(\d{2,4})(?:\.\d+)?(?:px|["',;}\s])"""
)
_LINES = re.compile(r"<(?:tr|li|p|br|h[1-6]|div|summary)\b", re.IGNORECASE)
_DRAWN = re.compile(r"<(?!script|style|link|meta)[A-Za-z]", re.IGNORECASE)
_SCAN: Final = 32 * 1024
"""Characters at either end in which a height is looked for; between them are data and libraries."""


def framed(html: str) -> str | None:
    """Return an element that shows the HTML in a frame of its own; None if there is too much of it."""
    if len(html) + 8 * (html.count("&") + html.count("'")) > MAX_FRAMED:
        return None
    inner = _frame(_PAPER + html, "height:100%")
    outer = _BASE + f'<meta http-equiv=content-security-policy content="{_POLICY}">' + _FILL + inner
    return _frame(
        outer, f"width:100%;height:{height_of(html)}px;border:0;resize:vertical;overflow:auto;display:block"
    )


def _frame(document: str, style: str) -> str:
    """Return a frame; an apostrophe is what HTML and the JSON within it have least of."""
    escaped = document.replace("&", "&amp;").replace("'", "&#39;")
    return (
        f'<iframe sandbox="allow-scripts" referrerpolicy="no-referrer" style="{style}" '
        f"srcdoc='{escaped}'></iframe>"
    )


def height_of(html: str) -> int:
    """Return a height for HTML that will be drawn by scripts, or that is a description of some lines."""
    ends = html if len(html) <= 2 * _SCAN else html[:_SCAN] + html[-_SCAN:]
    if said := [int(number) for number in _HEIGHT.findall(ends)]:
        return _bounded(max(said) + (110 if "vega" in ends else 40))  # Vega's is that of the axes
    if "<script" in ends or "<iframe" in ends:
        return USUAL if _DRAWN.search(ends) else LEAST
    return _bounded(40 + 26 * len(_LINES.findall(html)))


def _bounded(height: int) -> int:
    return max(LEAST, min(MOST, height))
