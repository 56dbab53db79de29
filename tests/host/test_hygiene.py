"""Hostile contents become what clients can hold."""

import math
import tracemalloc

import nbformat
import pytest

from sandbox_kernel.host.hygiene import MAX_TYPES, shape
from sandbox_kernel.host.parts import UncleanMessageError

BUNDLES = [
    {},
    {"data": None},
    {"data": [1, 2]},
    {"data": {"text/plain": 1}, "metadata": None, "transient": []},
    {"data": {"x" * 2_000_000: "y"}, "metadata": {}},
    {"data": {"image/png": {"a": 1}, "text/html": ["a", "b"], "application/json": [math.pi]}},
    {"data": {}, "transient": {"display_id": 7}},
]


@pytest.mark.parametrize("content", BUNDLES)
def test_any_bundle_becomes_an_output_that_nbformat_accepts(content):
    """display_data of any shape can be stored in a notebook."""
    clean = shape("display_data", content)
    output = nbformat.v4.new_output("display_data", clean["data"], metadata=clean["metadata"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    nbformat.validate(notebook)
    assert all(len(mime) <= 255 for mime in clean["data"])


@pytest.mark.parametrize("count", [None, True, -1, 10**30, "1", 1.5, [1]])
def test_strange_execution_counts_become_none(count):
    """Only a whole number that a notebook can hold is an execution count."""
    assert shape("execute_result", {"data": {}, "execution_count": count})["execution_count"] is None


@pytest.mark.parametrize(
    "content", [{}, {"ename": 1, "evalue": None, "traceback": "x"}, {"traceback": [1, None]}]
)
def test_errors_are_made_of_text(content):
    """ename, evalue and traceback are what clients print."""
    clean = shape("error", content)
    assert isinstance(clean["ename"], str)
    assert isinstance(clean["evalue"], str)
    assert all(isinstance(line, str) for line in clean["traceback"])


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [
        ("stream", {"text": {"a": "\U0010ffff" * 100_000 + "\U0001f600"}}),
        ("stream", {"text": ["\U0010ffff\U0001f600"] * 50_000}),
        ("error", {"traceback": [10**15] * 50_000}),
    ],
    ids=["object", "list", "lines"],
)
def test_what_is_no_text_is_not_spelt_out(msg_type, content):
    """Python's words for it take twenty times its bytes, though a thousand letters remain of them."""
    tracemalloc.start()
    try:
        shape(msg_type, content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_an_output_has_so_many_types():
    """Each is looked at several times; a million of them held up the whole process for seconds."""
    bundle = {f"x/{number}": "" for number in range(MAX_TYPES + 1)}
    assert list(shape("display_data", {"data": bundle})["data"]) == list(bundle)[:MAX_TYPES]


@pytest.mark.parametrize("state", ["dead", "restarting", "autorestarting", "terminating", None, 1, [], {}])
def test_a_kernel_does_not_tell_its_own_end(state):
    """Clients give up a kernel that is said to be dead; only its host can know that."""
    assert shape("status", {"execution_state": state})["execution_state"] == "unknown"


@pytest.mark.parametrize("status", [None, 1, "weird", [], {}])
def test_a_strange_reply_is_an_error(status):
    """A reply whose status is none of the protocol's is shown as an error, never as ok."""
    assert shape("execute_reply", {"status": status})["status"] == "error"


COMMS = [
    ("comm_msg", {"data": {}}),
    ("comm_msg", {"comm_id": "a", "data": {"state": 5}}),
    ("comm_msg", {"comm_id": "a", "data": {"state": {}, "buffer_paths": 5}}),
    ("comm_msg", {"comm_id": "a", "data": {"states": [{"state": {}}]}}),
    ("comm_open", {"comm_id": "a", "target_name": [1], "data": {}}),
    ("comm_open", {"comm_id": "a", "target_name": "jupyter.widget", "data": {}}),
]


@pytest.mark.parametrize(("msg_type", "content"), COMMS)
def test_widgets_that_clients_cannot_hold_are_refused(msg_type, content):
    """nbclient indexes state, target and buffer paths without looking."""
    with pytest.raises(UncleanMessageError):
        shape(msg_type, content)


@pytest.mark.parametrize("mime", ["text/json", "application/xjson", "image/png"])
def test_objects_are_for_json_types_only(mime):
    """nbformat refuses an object as the data of any other type."""
    assert isinstance(shape("display_data", {"data": {mime: {"a": 1}}})["data"][mime], str)


def test_comm_messages_need_their_id():
    """A comm message without comm_id means nothing to any client."""
    with pytest.raises(UncleanMessageError):
        shape("comm_msg", {"data": {}})
