"""What people show: charts, maps and widgets of the usual libraries, by default and without a network."""

from pathlib import Path

import plotly
import vl_convert
from xstatic.pkg import leaflet

CELLS = {
    "plotly": """
import plotly.io, plotly.express
plotly.io.renderers.default = "notebook"
figure = plotly.express.scatter(x=[1, 2, 3], y=[1, 4, 9], title="plotly", width=500, height=350)
figure.show()""",
    "plotly-by-default": """
plotly.io.renderers.default = "plotly_mimetype"
figure.update_layout(title="plotly, as JSON").show()""",
    "bokeh": """
from bokeh.io import output_notebook, show
from bokeh.plotting import figure as plot
from bokeh.resources import INLINE
output_notebook(INLINE)
drawn = plot(title="bokeh", width=400, height=300, tools="pan,wheel_zoom,reset")
drawn.line([1, 2, 3], [3, 1, 2], line_width=3)
show(drawn)""",
    "altair": """
import altair, pandas
data = pandas.DataFrame({"letter": list("abc"), "count": [3, 1, 2]})
chart = altair.Chart(data, title="altair").mark_bar().encode(x="letter", y="count", tooltip="count")
chart.properties(width=200, height=150)""",
    "vega": """
display({"application/vnd.vegalite.v6+json": chart.properties(title="vega, as JSON").to_dict()}, raw=True)""",
    "folium": """
import folium
map = folium.Map([52.52, 13.40], zoom_start=11, height=300)
folium.CircleMarker([52.52, 13.40], radius=20, tooltip="folium", fill=True).add_to(map)
map""",
    "table": "data",
    "styled": "data.style.highlight_max(subset=['count'], color='gold')",
    "widgets": """
import ipywidgets
slider, told = ipywidgets.IntSlider(value=7, description="slide"), ipywidgets.HTML("<i>nothing yet</i>")
slider.observe(lambda change: setattr(told, "value", f"<b>kernel knows {change.new}</b>"), "value")
ipywidgets.VBox([slider, told])""",
}

DRAWN = {
    "plotly": (".main-svg .point", ".point", ".hoverlayer .hovertext"),
    "plotly-by-default": (".main-svg .point", ".point", ".hoverlayer .hovertext"),
    "bokeh": (".bk-Figure", ".bk-Figure", ".bk-Figure"),
    "altair": (".marks", ".mark-rect path", "#vg-tooltip-element.visible"),
    "vega": (".marks", ".mark-rect path", "#vg-tooltip-element.visible"),
    "folium": (".leaflet-container path", ".leaflet-container path", ".leaflet-tooltip"),
    "styled": ("td", "td", "td"),
}
"""Name → what is there when it is drawn, what is pointed at, and what comes then."""


def library(address: str) -> tuple[bytes, str] | None:
    """Return the script or style sheet that a library is loaded from."""
    name = address.partition("?")[0].rpartition("/")[2]
    if "/leaflet@" in address:
        kind = "text/css" if name.endswith("css") else "text/javascript"
        return (Path(leaflet.BASE_DIR) / name).read_bytes(), kind
    if "/plotly.js" in address:
        return plotly.offline.get_plotlyjs().encode(), "text/javascript"
    if "/vega-embed@" in address:
        return vl_convert.javascript_bundle().encode(), "text/javascript"
    if "/vega" in address or "jquery" in address or "bootstrap" in address or "awesome" in address:
        return b"", "text/css" if name.endswith("css") else "text/javascript"
    return None
