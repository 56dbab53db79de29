"""Widgets show what they are given, and nothing of it acts."""

import pytest

from sandbox_kernel.host.content.messages import Contents

CONTROLS = "@jupyter-widgets/controls"
ACTS = "<img src=x onerror=1>"


def state(kind="Text", module=CONTROLS, **traits):
    types = {"_model_module": module, "_view_module": module}
    return types | {"_model_name": kind + "Model", "_view_name": kind + "View"} | traits


@pytest.fixture(params=["isolate", "strip"])
def contents(request):
    return Contents(request.param)


def opened(contents, comm_id="a", paths=(), **changes):
    data = {"state": state(**changes), "buffer_paths": list(paths)}
    return contents("comm_open", {"comm_id": comm_id, "target_name": "jupyter.widget", "data": data})["data"]


def told(contents, comm_id="a", method="update", **traits):
    data = {"method": method, "state": traits, "buffer_paths": []}
    return contents("comm_msg", {"comm_id": comm_id, "data": data})["data"]["state"]


def is_refused(data):
    return data["state"]["_model_name"] == "HTMLModel" and "[sandbox]" in data["state"]["value"]


def is_inert(text):
    """Nothing acts outside of a frame."""
    return "onerror" not in text.partition("srcdoc=")[0]


ORDINARY = [
    state("IntSlider", value=3, description="a & b", layout="IPY_MODEL_1", readout_format="d"),
    state("Text", value="<b>is text</b>", placeholder="1 < 2"),
    state("HTML", value="<b>bold</b>"),
    state("VBox", children=["IPY_MODEL_1", "IPY_MODEL_2"]),
    state("Dropdown", _options_labels=["<a>", "b"], index=0),
    state("Layout", "@jupyter-widgets/base", width="50%", border="1px solid red"),
    state("Button", tooltip="<x>", icon="check", _dom_classes=["mine"]),
]


@pytest.mark.parametrize("traits", ORDINARY, ids=lambda traits: traits["_model_name"])
def test_ordinary_widgets_pass(contents, traits):
    """Sliders, texts, boxes, buttons and layouts are as the kernel made them."""
    content = {"comm_id": "a", "target_name": "jupyter.widget", "data": {"state": traits, "buffer_paths": []}}
    assert contents("comm_open", content) == content


REFUSED = [
    {"module": "anywidget", "kind": "Any", "_esm": "export default {}"},
    {"module": "jupyter-matplotlib"},
    {"module": None},
    {"module": [CONTROLS]},
    {"_view_module": "anywidget"},
    {"_view_name": "ErrorWidgetView"},
    {"_model_name": "<img>Model"},
    {"_model_name": None},
    {"kind": "DirectionalLink", "_view_name": None, "source": ["IPY_MODEL_b", "value"], "target": None},
]


@pytest.mark.parametrize("changes", REFUSED, ids=str)
def test_unknown_modules_and_classes_are_refused(contents, changes):
    """In their place stands a note, and nothing that is said to them later arrives."""
    data = opened(contents, paths=[["_esm"]], **changes)
    assert is_refused(data)
    assert data["buffer_paths"] == []
    assert told(contents, _esm="x", value=ACTS) == {}


def test_html_is_made_harmless_whenever_it_comes(contents):
    """In the first state, in an update, in an echo, and as what it is not."""
    for kind in ("HTML", "HTMLMath"):
        assert is_inert(opened(contents, kind, kind=kind, value=ACTS)["state"]["value"])
        assert is_inert(told(contents, kind, value=ACTS)["value"])
        assert is_inert(told(contents, kind, "echo_update", value=ACTS)["value"])
        assert told(contents, kind, value=[ACTS])["value"] == ""


def test_a_text_does_not_become_html(contents):
    """A model keeps the type that it was opened with; a text shown as HTML is HTML from the start."""
    assert opened(contents, "text", value=ACTS)["state"]["value"] == ACTS
    assert told(contents, "text", _view_name="HTMLView", _model_name="HTMLModel") == {}
    assert is_inert(opened(contents, "both", value=ACTS, _view_name="HTMLView")["state"]["value"])
    assert is_refused(opened(contents, "text", kind="HTML", value="x"))  # opened twice


def test_a_client_that_comes_back_gets_the_same(contents):
    """A page that is loaded anew asks for all states."""
    opened(contents, "html", kind="HTML", value="x")
    opened(contents, "text", value="x")
    opened(contents, "any", module="anywidget", kind="Any")
    names = {"model_module": "anywidget", "model_name": "AnyModel", "model_module_version": "1"}
    states = {
        "html": {**names, "state": {"value": ACTS}},
        "text": {**names, "state": {"value": ACTS, "_view_name": "HTMLView"}},
        "any": {**names, "state": {"_esm": "x"}},
        "never opened": {**names, "state": {"value": ACTS}},
    }
    paths = [["any", "state", "_esm"], ["text", "state", "value"]]
    data = {"method": "update_states", "states": states, "buffer_paths": paths}
    shown = contents("comm_msg", {"comm_id": "control", "data": data})["data"]
    assert shown["states"].keys() == {"html", "text", "any"}
    assert is_inert(shown["states"]["html"]["state"]["value"])
    assert shown["states"]["text"]["state"]["_view_name"] == "TextView"
    assert is_refused(shown["states"]["any"])
    assert {entry["model_module"] for entry in shown["states"].values()} == {CONTROLS}
    assert shown["buffer_paths"] == [["_withheld"], ["text", "state", "value"]]


def said(contents, comm_id, data):
    return contents("comm_msg", {"comm_id": comm_id, "data": data})["data"]


def test_nothing_is_said_beside_what_is_looked_at(contents):
    """The page obeys the method; what another method's fields look like decides nothing."""
    opened(contents, "html", kind="HTML", value="")
    update = {"method": "update", "state": {"value": ACTS}, "buffer_paths": []}
    clean = said(contents, "html", update | {"states": {}, "content": ACTS, "x": ACTS})
    assert clean.keys() == {"method", "state", "buffer_paths"}
    assert is_inert(clean["state"]["value"])
    stranger = said(contents, "client's", update | {"states": {}})
    assert is_inert(stranger["state"]["value"])
    custom = update | {"method": "custom", "content": {"do": "focus"}}
    assert said(contents, "html", custom) == {"method": "custom", "content": {"do": "focus"}}
    assert said(contents, "html", update | {"method": "other"}) == {}
    data = {"state": state("HTML", value=""), "states": {"a": ACTS}, "x": ACTS}
    comm = {"comm_id": "new", "target_name": "jupyter.widget", "data": data}
    assert contents("comm_open", comm)["data"].keys() == {"state"}


def test_a_report_is_an_object_of_models(contents):
    """A list has keys as well, and names whatever model it likes."""
    entry = {"model_name": "AnyModel", "model_module": "anywidget", "state": {"_esm": "x"}}
    report = {"method": "update_states", "state": {"value": ACTS}, "buffer_paths": []}
    for states in ([entry], ACTS, None, 3):
        assert said(contents, "control", report | {"states": states}) == {
            "method": "update_states",
            "states": {},
            "buffer_paths": [],
        }
    opened(contents, "html", kind="HTML", value="")
    html = entry | {"x": ACTS, "model_module_version": "2.0.0"}
    shown = said(contents, "control", report | {"states": {"html": html, "0": entry}})["states"]
    assert shown.keys() == {"html"}
    assert shown["html"].keys() == {"model_module", "model_name", "model_module_version", "state"}


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        (["IPY_MODEL_slider", "value"], False),
        (["IPY_MODEL_slider", "_view_name"], True),
        (["IPY_MODEL_slider", "description"], True),
        (["IPY_MODEL_html", "value"], True),
        (["IPY_MODEL_label", "value"], True),
        (["IPY_MODEL_style", "value"], True),
        (["IPY_MODEL_later", "value"], True),
        (["IPY_MODEL_slider"], True),
        ("IPY_MODEL_slider", True),
    ],
)
def test_links_do_not_carry_text_into_html(contents, target, refused):
    """The page copies from model to model, past the guard: only to what shows no HTML."""
    opened(contents, "slider", kind="IntSlider")
    opened(contents, "html", kind="HTML", value="")
    opened(contents, "label", kind="Label", value="")
    opened(contents, "style", kind="TextStyle", _view_module="@jupyter-widgets/base", _view_name="StyleView")
    ends = {
        "source": ["IPY_MODEL_slider", "value"],
        "target": target,
        "_view_name": None,
        "_view_module": None,
    }
    assert is_refused(opened(contents, "link", kind="DirectionalLink", **ends)) == refused
    assert is_refused(opened(contents, "both", kind="Link", **ends)) == refused
    if not refused:
        assert told(contents, "link", target=["IPY_MODEL_html", "value"]) == {}


TRAITS = [
    ({"description_allow_html": True}, {"description_allow_html": False}),
    ({"_dom_classes": ["jp-Dialog", "lm-Widget", "mine", 3]}, {"_dom_classes": ["mine"]}),
    ({"format": "url"}, {"format": "png"}),
    ({"format": "svg+xml"}, {"format": "png"}),
    ({"format": ["svg+xml"]}, {"format": "png"}),
    ({"format": "mp4"}, {"format": "mp4"}),
    ({"icons": ["check", "x jp-Dialog", "", 3]}, {"icons": ["check", "", "", ""]}),
    ({"icons": "jp-Dialog"}, {"icons": []}),
    ({"readout_format": "<img onerror=1>"}, {"readout_format": "img onerror=1>"}),
    ({"layout": "IPY_MODEL_<img>"}, {"layout": "IPY_MODEL_img>"}),
    ({"children": ["IPY_MODEL_<img>"]}, {"children": ["IPY_MODEL_img>"]}),
    ({"description": "$\\href{x}{y}$"}, {"description": "$\\backslash{}href{x}{y}$"}),
    ({"__proto__": {"x": 1}, "value": 3}, {"value": 3}),
    ({"outputs": "<b>"}, {"outputs": []}),
]


@pytest.mark.parametrize(("sent", "shown"), TRAITS, ids=str)
def test_traits_that_act(contents, sent, shown):
    """Classes of the page, addresses, formulas, errors in the making, and prototypes."""
    opened(contents)
    assert told(contents, **sent) == shown


def test_outputs_in_a_widget_are_outputs(contents):
    """What an output widget holds is treated as what a cell shows."""
    opened(contents, kind="Output", module="@jupyter-widgets/output")
    html = {"output_type": "display_data", "metadata": {}, "data": {"text/html": ACTS}}
    text = {"output_type": "stream", "name": "stdout", "text": "a\x1b]52;c;x\x07"}
    shown = told(contents, outputs=[html, text, {"output_type": "strange"}, 3])["outputs"]
    assert is_inert(shown[0]["data"]["text/html"])
    assert [output.get("text") for output in shown] == [None, "a"]


def test_styles_load_nothing(contents):
    """A colour is a colour, and no address."""
    opened(contents, kind="TextStyle", _view_module="@jupyter-widgets/base", _view_name="StyleView")
    assert told(contents, background="url(https://x.invalid)") == {"background": ""}
    assert told(contents, background="u\\72l(https://x.invalid)") == {"background": ""}
    assert told(contents, background="red") == {"background": "red"}


@pytest.mark.parametrize("path", [["__proto__", "x"], ["a", "constructor"], [{}], [None]])
def test_buffers_go_where_they_may(contents, path):
    """The page follows a path without looking."""
    assert opened(contents, paths=[path])["buffer_paths"] == []
    assert opened(contents, "b", paths=[["value"], ["a", 0]])["buffer_paths"] == [["value"], ["a", 0]]


def test_there_is_an_end_to_widgets(contents, monkeypatch):
    """What is known of them is bounded; the rest is refused."""
    monkeypatch.setattr("sandbox_kernel.host.content.widgets.MAX_WIDGETS", 3)
    assert [is_refused(opened(contents, name)) for name in "abcd"] == [False, False, False, True]
    assert is_inert(told(contents, "d", value=ACTS)["value"])
    assert is_refused(opened(Contents("isolate"), "x" * 256))


def test_other_comms_pass(contents):
    """What is no widget is passed on, without the name of a module to load."""
    content = {
        "comm_id": "a",
        "target_name": "other",
        "target_module": "https://x.invalid/x.js",
        "data": {"x": ACTS},
    }
    assert contents("comm_open", content) == {"comm_id": "a", "target_name": "other", "data": {"x": ACTS}}
    message = {"comm_id": "a", "data": {"x": ACTS}}
    assert contents("comm_msg", message) is message


def test_a_closed_widget_is_forgotten(contents):
    """Its name is free again."""
    opened(contents)
    contents("comm_close", {"comm_id": "a", "data": {}})
    assert not is_refused(opened(contents))
