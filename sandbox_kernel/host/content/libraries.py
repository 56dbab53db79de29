"""Libraries that a notebook loads in one output and uses in others: plotly.js and BokehJS.

In the page one output's script is there for the next. A frame has nothing but its own content, so
what loaded the library is remembered and put before what uses it.
"""

import json
import re
from typing import Any, Final

from msgspec import Struct, field

MAX_LIBRARY: Final = 8 << 20
"""Bytes of one library: plotly.js has 4.8 million, BokehJS with its widgets and tables 4."""

BOKEH_LOAD: Final = "application/vnd.bokehjs_load.v0+json"
BOKEH_EXEC: Final = "application/vnd.bokehjs_exec.v0+json"
PLOTLY: Final = "application/vnd.plotly.v1+json"
VEGA: Final = re.compile(r"application/vnd\.vega(?P<lite>lite)?\.v(?P<major>[0-9])\+json")

_PLOTLY_LOADS: Final = "window.PlotlyConfig"
_PLOTLY_USES: Final = "Plotly.newPlot("
_PLOTLY_SOURCE: Final = "https://cdn.plot.ly/"
_BOKEH_ROOTS = re.compile(r'"roots":\{((?:"[\w-]{1,64}":"[\w-]{1,64}",?){1,32})\}')
_BOKEH_WAITS: Final = "Loading BokehJS ..."
"""What would stand for ever beside Bokeh's mark: what replaces it is in another frame."""

_PAIR = re.compile(r'"([\w-]+)":"([\w-]+)"')

_LACKS: Final = (
    "<p id=lacks hidden>[sandbox] This figure needs {what}, which could not be loaded. {advice}</p>"
)
_TELL: Final = "document.getElementById('lacks').hidden = false"


class Libraries(Struct):
    """What one kernel's outputs have loaded so far."""

    _loaded: dict[str, bytes] = field(default_factory=dict)

    def keep_html(self, html: str) -> bool:
        """Remember the HTML if it does nothing but load plotly.js; return whether that is so."""
        loads = html.lstrip()[:200].find(_PLOTLY_LOADS) >= 0 and _PLOTLY_USES not in html[-4000:]
        return loads and html.lstrip().startswith("<script") and self._keep("plotly", html)

    def keep_bundle(self, data: dict[str, Any]) -> bool:
        """Remember what loads BokehJS, if the bundle does that; return whether it does."""
        load = data.get(BOKEH_LOAD)
        return isinstance(load, str) and self._keep("bokeh", script(load))

    def _keep(self, name: str, html: str) -> bool:
        data = html.encode() if len(html) <= MAX_LIBRARY else b""
        if len(data) <= MAX_LIBRARY:
            self._loaded[name] = data
        return True

    def _get(self, name: str) -> str:
        return self._loaded.get(name, b"").decode()

    def complete(self, html: str) -> str:
        """Return the HTML of a figure with the library that it counts on before it."""
        if _PLOTLY_USES in html and _PLOTLY_SOURCE not in html and "plotly" in self._loaded:
            return self._get("plotly") + html
        return html.replace(_BOKEH_WAITS, "BokehJS") if "bk-notebook-logo" in html else html

    def bokeh_figure(self, code: str) -> str:
        """Return a Bokeh figure, of which an output holds the code alone."""
        places = "".join(
            f'<div id="{element}" data-root-id="{root}"></div>'
            for roots in _BOKEH_ROOTS.findall(code)
            for root, element in _PAIR.findall(roots)
        )
        return places + self._get("bokeh") + script(code)

    def plotly_figure(self, figure: Any) -> str:
        """Return a figure that came as plotly's JSON."""
        if "plotly" in self._loaded:
            library = self._get("plotly")
        else:
            source = "https://cdn.jsdelivr.net/npm/plotly.js-dist-min/plotly.min.js"
            library = f'<script src="{source}" onerror="{_TELL}"></script>'
        what = _LACKS.format(
            what="plotly.js from cdn.jsdelivr.net",
            advice="Without a network: plotly.io.renderers.default = &quot;notebook&quot;.",
        )
        values = ", ".join(json.dumps(_field(figure, name)) for name in ("data", "layout", "config"))
        draw = f"if (window.Plotly) Plotly.newPlot('figure', {values})"
        return (
            f'{what}<div id="figure" style="height:{_plotly_height(figure)}px"></div>{library}{script(draw)}'
        )


def script(code: str) -> str:
    """Return a script element; what would end it can only stand in a string, and is escaped."""
    return "<script>" + re.sub(r"<(?=/script|!--)", r"\\x3c", code, flags=re.IGNORECASE) + "</script>"


def vega_figure(spec: Any, found: re.Match[str]) -> str:
    """Return a chart that came as JSON, drawn by the versions of Vega that its MIME type names."""
    major = int(found["major"])
    lite = bool(found["lite"])
    vega = major if not lite else {2: 4, 3: 5, 4: 5}.get(major, major)
    packages = [
        f"vega@{vega}",
        *([f"vega-lite@{major}"] if lite else []),
        f"vega-embed@{7 if vega > 5 else 6}",
    ]
    loads = "".join(
        f'<script src="https://cdn.jsdelivr.net/npm/{package}" onerror="{_TELL}"></script>'
        for package in packages
    )
    what = _LACKS.format(
        what="Vega from cdn.jsdelivr.net",
        advice="Without a network: display(HTML(chart.to_html(inline=True))).",
    )
    draw = f"if (window.vegaEmbed) vegaEmbed('#figure', {json.dumps(spec)})"
    return f'{what}<div id="figure"></div>{loads}{script(draw)}'


def _field(figure: Any, name: str) -> Any:
    empty: Any = [] if name == "data" else {}
    return figure.get(name, empty) if isinstance(figure, dict) else empty


def _plotly_height(figure: Any) -> int:
    layout = _field(figure, "layout")
    height = layout.get("height") if isinstance(layout, dict) else None
    return int(height) if isinstance(height, int | float) and 50 <= height <= 5000 else 450
