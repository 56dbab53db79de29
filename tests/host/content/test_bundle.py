"""Each MIME type has its rule."""

import pytest

from sandbox_kernel.host.content.allowance import MAX_FRAMES, MAX_READ
from sandbox_kernel.host.content.bundle import Bundles
from sandbox_kernel.host.content.markdown import MAX_CONVERTED
from sandbox_kernel.host.content.svg import MAX_DRAWING, MAX_ELEMENTS

FRAME = '<iframe sandbox="allow-scripts"'
HARMLESS = [
    {"text/plain": "x"},
    {"image/png": "AAAA", "text/plain": "x"},
    {"application/json": {"a": ["<script>"]}},
    {"text/html": "<b>x</b>", "text/plain": "x"},
    {"text/markdown": "# x", "text/latex": "$\\alpha$"},
    {
        "application/vnd.jupyter.widget-view+json": {
            "model_id": "ab-1",
            "version_major": 2,
            "version_minor": 0,
        }
    },
    {"application/papermill.record+json": 3},
    {"text/html": ["<b>", "x</b>"]},
]


@pytest.mark.parametrize("mode", ["isolate", "strip"])
@pytest.mark.parametrize("data", HARMLESS, ids=lambda data: next(iter(data)))
def test_harmless_bundles_pass(mode, data):
    """They reach clients as they were displayed."""
    shown = Bundles(mode).shown(data)
    assert {mime: "".join(text) if isinstance(text, list) else text for mime, text in data.items()} == shown


ACTING = [
    {"text/html": "<script>1</script><b>x</b>"},
    {"application/javascript": "element.append(1)"},
    {"text/javascript": ["alert", "(1)"]},
    {"text/markdown": "<img src=x onerror=1> x"},
    {"application/vnd.vega.v5+json": {"data": [{"url": "/api/contents"}]}},
    {"application/vnd.vegalite.v6+json": {"data": {"url": "/api/contents"}}},
    {"application/vnd.plotly.v1+json": {"data": [], "layout": {"images": [{"source": "https://x.invalid"}]}}},
    {"text/html": "<b>x</b>", "application/vnd.vega.v5+json": {}},
]


@pytest.mark.parametrize("data", ACTING, ids=lambda data: list(data)[-1])
def test_what_acts_is_framed(data):
    """It becomes HTML in a frame, and nothing of it is left beside that."""
    shown = Bundles("isolate").shown(data)
    assert shown.keys() == {"text/html"}
    assert shown["text/html"].startswith(FRAME)


SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
UNDRAWN = {
    "large": SVG.format("<g></g>" * (MAX_DRAWING // 7)),
    "of many parts": SVG.format("<g/>" * MAX_ELEMENTS),
    "deep": SVG.format("<g>" * 300 + "</g>" * 300),
    "broken": SVG.format("<g>"),
}


@pytest.mark.parametrize("svg", UNDRAWN.values(), ids=UNDRAWN)
def test_a_picture_that_cannot_be_checked_has_a_frame_of_its_own(svg):
    """Nothing is lost of a plot with very many points; where no frames are, a note says what is shown."""
    figure = {"image/svg+xml": svg, "text/plain": "<Figure>"}
    shown = Bundles("isolate").shown(figure)
    assert shown.keys() == {"text/plain", "text/html"}
    assert shown["text/html"].startswith(FRAME)
    for data in figure, {"image/svg+xml": svg}:
        shown = Bundles("strip").shown(data)
        assert shown.keys() == {"text/plain"}
        assert shown["text/plain"].startswith(data.get("text/plain", "[sandbox]"))
        assert "100,000 elements" in shown["text/plain"]
    assert Bundles("strip").shown(figure | {"image/png": "AAAA"}).keys() == {"image/png", "text/plain"}
    assert Bundles("isolate").shown(figure | {"image/png": "AAAA"}).keys() == {"image/png", "text/plain"}


@pytest.mark.parametrize("mode", ["isolate", "strip"])
def test_a_picture_too_many_is_told_of(mode):
    """What neither may be written anew nor has room for a frame leaves a note."""
    bundles = Bundles(mode)
    bundles.allowance.read(MAX_READ)
    bundles.allowance.charge_frame(MAX_FRAMES)
    shown = bundles.shown({"image/svg+xml": SVG.format(""), "text/plain": "<Figure>"})
    assert shown["text/plain"].startswith("<Figure>\n[sandbox] An SVG is shown")


@pytest.mark.parametrize("mode", ["isolate", "strip"])
def test_markdown_that_cannot_be_checked_is_told_of(mode):
    """Its text alone would not say that there was anything to see."""
    long = "<b>x</b> " * MAX_CONVERTED
    shown = Bundles(mode).shown({"text/markdown": long, "text/plain": ["<Mark", "down>"]})
    assert shown.keys() == {"text/plain"}
    assert shown["text/plain"].startswith("<Markdown>\n[sandbox] Markdown with HTML")
    assert "64 KB" in Bundles(mode).shown({"text/markdown": long})["text/plain"]


@pytest.mark.parametrize("data", ACTING, ids=lambda data: list(data)[-1])
def test_what_acts_is_stripped(data):
    """What describes is left of it, or a sentence that says what was left out."""
    shown = Bundles("strip").shown(data)
    assert "<iframe" not in str(shown)
    if "text/html" in shown:
        assert shown["text/html"] == "<b>x</b>" or "onerror" not in shown["text/html"]
    else:
        assert "[sandbox]" in shown["text/plain"]


@pytest.mark.parametrize(
    "mime",
    ["text/html", "application/javascript", "application/vnd.vega.v5+json", "application/vnd.plotly.v1+json"],
)
def test_what_is_stripped_is_told_of(mime):
    """The text beside it alone would not say that there was anything to see; a picture of it would."""
    figure = {mime: "<script>1</script>", "text/plain": "Figure()"}
    told = Bundles("strip").shown(figure)
    note = f"[sandbox] Output of type {mime} was left out: it could act in your browser ('html' is strip)."
    assert told == {"text/plain": f"Figure()\n{note}"}
    pictured = figure | {"image/png": "AAAA"}
    assert Bundles("strip").shown(pictured) == {"image/png": "AAAA", "text/plain": "Figure()"}


def test_what_is_stripped_of_a_description_is_told_of():
    """Where something is left of HTML, what is missing is counted beneath it; style is not missed."""
    html = (
        "<b>x</b><script>1</script><SCRIPT src='y'></SCRIPT><iframe srcdoc='z'></iframe><style>b {}</style>"
    )
    shown = Bundles("strip").shown({"text/html": html})["text/html"]
    assert shown.startswith("<b>x</b><p><small>[sandbox] 3 script(s) or frame(s) were left out")
    styled = "<style>#T_1 {color: red}</style><table><tr><td>1</td></tr></table>"
    assert "[sandbox]" not in Bundles("strip").shown({"text/html": styled})["text/html"]


UNKNOWN = [
    "application/vnd.unknown+json",
    "text/x-unknown",
    "TEXT/HTML",
    "text/vnd.mermaid",
    "image/svg",
    "",
    "x",
]


@pytest.mark.parametrize("mode", ["isolate", "strip"])
@pytest.mark.parametrize("mime", UNKNOWN)
def test_what_is_not_known_does_not_pass(mode, mime):
    """Some extension of JupyterLab may obey it; the rest of the bundle is shown."""
    assert Bundles(mode).shown({mime: "<script>1</script>", "text/plain": "x"}) == {"text/plain": "x"}
    alone = Bundles(mode).shown({mime: "<script>1</script>"})
    assert alone.keys() == {"text/plain"}
    assert "left out" in alone["text/plain"]


@pytest.mark.parametrize(
    "value",
    [{"model_id": "<b>"}, {"model_id": 1}, "x", None, {"version_major": 2}],
)
def test_a_view_names_a_model_and_nothing_else(value):
    """What JupyterLab makes of the name of a model that is none, nobody needs to know."""
    mime = "application/vnd.jupyter.widget-view+json"
    assert mime not in Bundles("isolate").shown({mime: value, "text/plain": "x"})


PLOTLY = "<script>window.PlotlyConfig = {};</script><script>/* plotly.js */ window.Plotly = 1</script>"
FIGURE = '<div id="f"></div><script>Plotly.newPlot("f", [])</script>'


def test_plotly_comes_with_each_figure():
    """What loaded the library once is put before each figure that counts on it."""
    bundles = Bundles("isolate")
    assert "plotly.js comes" in bundles.shown({"text/html": PLOTLY})["text/html"]
    for _ in range(2):
        shown = bundles.shown({"text/html": FIGURE})["text/html"]
        assert shown.count("/* plotly.js */") == 1
        assert "newPlot" in shown
    assert "/* plotly.js */" in bundles.shown({"application/vnd.plotly.v1+json": {"data": []}})["text/html"]
    assert "/* plotly.js */" not in Bundles("isolate").shown({"text/html": FIGURE})["text/html"]


def test_bokeh_comes_with_each_figure():
    """The script of a figure gets the library before it, and the element that it draws into."""
    bundles = Bundles("isolate")
    load = {"application/javascript": "x", "application/vnd.bokehjs_load.v0+json": "/* BokehJS */"}
    assert "BokehJS comes" in bundles.shown(load)["text/plain"]
    code = '{"roots":{"p1001":"ab-cd"},"root_ids":["p1001"]}'
    shown = bundles.shown({"application/javascript": code, "application/vnd.bokehjs_exec.v0+json": ""})
    assert shown.keys() == {"text/html"}
    for part in ("/* BokehJS */", 'id="ab-cd"', 'data-root-id="p1001"'):
        assert part in shown["text/html"]


def test_a_script_cannot_end_early():
    """What stands in a program does not end its element."""
    shown = Bundles("isolate").shown({"application/javascript": 'x = "</script><b>"'})["text/html"]
    assert shown.count("</script>") == 1
