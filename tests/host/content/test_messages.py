"""Wherever a message carries what is shown, the rules hold."""

import json
import random

import pytest

from sandbox_kernel.host.content import content_filters
from sandbox_kernel.host.content.allowance import MAX_FRAMES
from sandbox_kernel.host.content.messages import Contents
from sandbox_kernel.host.hygiene import UncleanMessageError, shape
from sandbox_kernel.policy import MiB, Policy
from tests.host.messages import Conversation, told

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
ACTS = {"text/html": "<img src=x onerror=1>"}


@pytest.fixture(params=["isolate", "strip"])
def contents(request):
    return Contents(request.param)


def is_inert(content):
    return "onerror" not in str(content).partition("srcdoc=")[0]


CARRIERS = [
    ("display_data", {"data": ACTS, "metadata": {}}),
    ("update_display_data", {"data": ACTS, "metadata": {}, "transient": {"display_id": "a"}}),
    ("execute_result", {"data": ACTS, "metadata": {}, "execution_count": 1}),
    ("inspect_reply", {"status": "ok", "found": True, "data": ACTS}),
    ("execute_reply", {"status": "ok", "payload": [{"source": "page", "data": ACTS}]}),
    ("execute_reply", {"status": "ok", "user_expressions": {"x": {"status": "ok", "data": ACTS}}}),
    ("debug_reply", {"type": "response", "success": True, "body": {"data": ACTS, "metadata": {}}}),
]


@pytest.mark.parametrize(("msg_type", "content"), CARRIERS)
def test_bundles_are_found_wherever_they_are(contents, msg_type, content):
    """Displays and results, and what is behind a key: pages, inspections, expressions, the debugger's."""
    assert not is_inert(content)
    clean = contents(msg_type, content)
    assert is_inert(clean)
    assert clean.keys() == content.keys()


TEXTS = [
    ("stream", {"name": "stdout", "text": "{}"}),
    ("error", {"ename": "{}", "evalue": "{}", "traceback": ["{}"]}),
    ("execute_reply", {"status": "error", "ename": "{}", "evalue": "{}", "traceback": ["{}"]}),
    ("input_request", {"prompt": "{}", "password": False}),
    ("execute_input", {"code": "{}", "execution_count": 1}),
    ("display_data", {"data": {"text/plain": "{}"}, "metadata": {}}),
]


@pytest.mark.parametrize(("msg_type", "content"), TEXTS)
def test_texts_command_no_terminal(contents, msg_type, content):
    """Output, errors, questions and results may be printed by nbclient, papermill, a console."""
    hostile = json.loads(json.dumps(content).replace('"{}"', json.dumps("a\x1b]52;c;x\x07b")))
    assert contents(msg_type, hostile) == json.loads(json.dumps(content).replace('"{}"', '"ab"'))
    assert contents(msg_type, content) is content


def test_code_is_put_beside_never_over(contents):
    """A payload that would replace a cell becomes one that adds one."""
    reply = {
        "status": "ok",
        "payload": [{"source": "set_next_input", "text": "x", "replace": True, "y": 1}, 3],
    }
    assert contents("execute_reply", reply)["payload"] == [
        {"source": "set_next_input", "text": "x", "replace": False}
    ]


def test_help_leads_to_addresses(contents):
    """The Help menu opens what the kernel says."""
    good = {"text": "Python", "url": "https://docs.python.org"}
    bad = [
        {"text": "x", "url": "javascript:alert(1)"},
        {"text": "x", "url": "data:text/html,x"},
        {"url": good},
        3,
    ]
    reply = {"banner": "hello", "help_links": [good, *bad]}
    assert contents("kernel_info_reply", reply)["help_links"] == [good]
    assert contents("kernel_info_reply", {**reply, "help_links": "x"})["help_links"] == []


@pytest.mark.parametrize("msg_type", [kind for kind, _ in CARRIERS + TEXTS] + ["status", "clear_output"])
@pytest.mark.parametrize("content", [{}, {"data": 3}, {"data": {"text/html": 3}}, {"body": 3, "payload": 3}])
def test_nonsense_does_no_harm(contents, msg_type, content):
    """A filter must not raise, whatever it is given."""
    contents(msg_type, content)


NAMES = (
    *(
        "data",
        "text/html",
        "text/plain",
        "text/markdown",
        "image/svg+xml",
        "application/javascript",
        "metadata",
    ),
    *(
        "application/vnd.plotly.v1+json",
        "application/vnd.vega.v5+json",
        "application/vnd.bokehjs_exec.v0+json",
    ),
    *(
        "application/vnd.jupyter.widget-view+json",
        "model_id",
        "payload",
        "source",
        "user_expressions",
        "body",
    ),
    *(
        "text",
        "ename",
        "traceback",
        "help_links",
        "url",
        "layout",
        "height",
        "states",
        "state",
        "buffer_paths",
    ),
    *(
        "_model_module",
        "_model_name",
        "_view_name",
        "value",
        "outputs",
        "output_type",
        "target",
        "_dom_classes",
    ),
)
WORDS = (
    *(
        "",
        "<b>x</b>",
        "<script>",
        "x",
        "set_next_input",
        "page",
        "stream",
        "error",
        "display_data",
        "TextModel",
    ),
    *(
        "@jupyter-widgets/controls",
        "HTMLModel",
        "DirectionalLinkModel",
        "IPY_MODEL_a",
        "$\\href{x}$",
        "\x1b]",
    ),
)


def junk(chance, depth=0):
    """Return any JSON, made of the names and words that mean something somewhere."""
    kind = chance.randrange(9 if depth < 5 else 5)
    if kind < 5:
        return chance.choice((None, True, -1, 1.5, chance.choice(WORDS)))
    if kind < 7:
        return [junk(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(NAMES): junk(chance, depth + 1) for _ in range(chance.randrange(6))}


def test_no_junk_raises(contents):
    """Ten thousand contents of the right shape and of any content: none is more than a filter can take."""
    chance = random.Random(4)
    kinds = sorted(contents._rules)
    for _ in range(10_000):
        kind = chance.choice(kinds)
        content = {name: junk(chance) for name in chance.sample(NAMES, 6)} | {"comm_id": chance.choice("abc")}
        if kind == "comm_open":
            content["target_name"] = "jupyter.widget"
        try:
            shaped = shape(kind, content)
        except UncleanMessageError:
            continue
        before = json.dumps(shaped)
        json.dumps(contents(kind, shaped))
        assert json.dumps(shaped) == before  # a filter changes nothing in place


def test_trust_leaves_everything_as_it_came():
    """Where output is trusted there is no filter at all."""
    assert content_filters(Policy(html="trust")) == ()
    assert len(content_filters(Policy())) == 1


PLOTLY = "<script>window.PlotlyConfig = {}</script><script>" + "x" * 4_000_000 + "</script>"
FIGURE = {"text/html": "<div></div><script>Plotly.newPlot(1)</script>"}


@pytest.mark.parametrize("carrier", ["user_expressions", "payload", "outputs"])
def test_one_message_does_not_become_a_hundred_libraries(carrier):
    """The frames of a message have a limit together, wherever in it they are."""
    contents = Contents("isolate")
    contents("display_data", {"data": {"text/html": PLOTLY}, "metadata": {}})
    figures = [{"data": FIGURE, "output_type": "display_data", "metadata": {}}] * 50
    if carrier == "outputs":
        module = "@jupyter-widgets/output"
        types = {"_model_module": module, "_view_module": module, "_model_name": "OutputModel"}
        data = {"state": {**types, "_view_name": "OutputView", "outputs": figures}}
        message = "comm_open", {"target_name": "jupyter.widget", "data": data}
    else:
        named = {str(number): figure for number, figure in enumerate(figures)}
        message = "execute_reply", {carrier: named if carrier == "user_expressions" else figures}
    for comm_id in "ab":  # the next message has as much
        text = json.dumps(contents(message[0], {**message[1], "comm_id": comm_id}))
        assert PLOTLY[-1000:-10] in text
        assert "too much for one message" in text
        assert len(text) < MAX_FRAMES + 2 * len(PLOTLY)


@pytest.mark.parametrize(
    "entry",
    [{"text/html": "<b>" + "x" * 900_000 + "</b>"}, {"image/svg+xml": SVG + "x" * 900_000 + "</svg>"}],
    ids=["html", "svg"],
)
def test_little_of_one_message_is_written_anew(contents, entry):
    """What takes most of the time has a limit for all values together."""
    values = {str(number): {"data": entry} for number in range(8)}
    shown = contents("execute_reply", {"user_expressions": values})["user_expressions"]
    described = [
        value for value in shown.values() if "srcdoc" not in str(value) and "[sandbox]" not in str(value)
    ]
    assert len(described) == 4
    assert contents("execute_reply", {"user_expressions": values})["user_expressions"] == shown


def test_what_a_frame_adds_is_charged():
    """A figure of two hundred bytes that brings a library along costs what clients get."""
    policy = Policy(output=MiB)
    talk = Conversation(policy, filters=content_filters(policy))
    parent = talk.execute()
    library = "<script>window.PlotlyConfig = {}</script><script>" + "x" * 300_000 + "</script>"
    talk.publish("display_data", {"data": {"text/html": library}, "metadata": {}}, parent)
    figure = {"data": {"text/html": "<div></div><script>Plotly.newPlot(1)</script>"}, "metadata": {}}
    seen = [
        content for _ in range(10) for _, _, content in told(talk.publish("display_data", figure, parent))
    ]
    shown = [content for content in seen if "data" in content]
    assert len(shown) in (2, 3)  # the last may go over
    assert any("'output'" in content.get("text", "") for content in seen)
