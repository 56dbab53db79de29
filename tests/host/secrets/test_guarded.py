"""A guard with secrets: no message of a kernel carries one."""

import base64
import json

import pytest

from sandbox_kernel.host.guard import Guard
from sandbox_kernel.host.jupyter import RawMessage, compose
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel
from tests.host.messages import OUTER, Conversation, told

VALUE = 'canary-"quoted"-värde'
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in VALUE)


@pytest.fixture
def talk():
    talk = Conversation()
    talk.guard = Guard(Policy(), outer=OUTER, masks=Masks({"TOKEN": VALUE}))
    return talk


def everything(actions):
    """Return all that clients were sent, as text: JSON read, buffers as they are."""
    said = []
    for action in actions:
        raw = RawMessage.from_parts(action.parts)
        said += [json.dumps(json.loads(part), ensure_ascii=False) for part in (raw.metadata, raw.content)]
        said += [bytes(buffer).decode(errors="replace") for buffer in raw.buffers]
    return "\n".join(said)


TEXT = {"data": {"text/plain": VALUE, "text/html": f"<b>{VALUE}</b>", "x/y": [VALUE]}, "metadata": {VALUE: 1}}
PUBLISHED = [
    ("stream", {"name": "stdout", "text": f"a {VALUE}\n"}),
    ("display_data", TEXT),
    ("execute_result", {**TEXT, "execution_count": 1}),
    ("error", {"ename": VALUE, "evalue": VALUE, "traceback": [VALUE]}),
    ("execute_input", {"code": f"x = '{VALUE}'", "execution_count": 1}),
    ("comm_open", {"comm_id": "c", "target_name": "t", "data": {"deep": [{"x": VALUE}]}}),
    ("debug_event", {"body": {"value": VALUE}}),
]


@pytest.mark.parametrize(("kind", "content"), PUBLISHED, ids=[kind for kind, _ in PUBLISHED])
def test_what_is_published(talk, kind, content):
    """Whatever a kernel publishes: texts, MIME bundles, errors, code, widgets; and without masks it shows."""
    bare = Conversation()
    assert "canary" in everything(bare.publish(kind, content, bare.execute()))
    said = everything(talk.publish(kind, content, talk.execute()))
    assert "canary" not in said
    assert "[secret TOKEN]" in said


def test_written_as_escapes(talk):
    """JSON may spell every letter as an escape; it is read first, then searched."""
    content = b'{"name": "stdout", "text": "' + ESCAPED.encode() + b'"}'
    assert "canary" not in everything(talk.publish("stream", content, talk.execute()))


def test_metadata_and_buffers(talk):
    """A message's metadata and its binary parts are searched, too."""
    content = {"comm_id": "c", "data": {}}
    metadata = json.dumps({"x": VALUE}).encode()
    actions = talk.publish("comm_msg", content, metadata=metadata, buffers=(VALUE.encode(),))
    assert "canary" not in everything(actions)


def test_what_readers_pass_over(talk):
    """A name that comes twice has one value, and a header has fields that nobody shows; both are sent."""
    twice = json.dumps({"name": "stdout", "text": VALUE})[:-1] + ', "text": "x"}'
    header = json.loads(compose("stream", {}).header) | {"username": VALUE, "session": VALUE}
    (action,) = talk.publish(
        "stream",
        twice.encode(),
        talk.execute(),
        header=json.dumps(header).encode(),
        identities=(VALUE.encode(),),
    )
    assert b"canary" not in b"".join(map(bytes, action.parts))


def test_replies_and_questions(talk):
    """What a kernel answers and asks."""
    parent = talk.execute(allow_stdin=True)
    asked = talk.say(Channel.STDIN, "input_request", {"prompt": VALUE}, parent)
    reply = {"status": "ok", "user_expressions": {"x": {"data": {"text/plain": VALUE}}}}
    answered = talk.say(Channel.SHELL, "execute_reply", reply, parent)
    parent = talk.ask("inspect_request", {})
    shown = talk.say(Channel.SHELL, "inspect_reply", {"status": "ok", "data": {"text/plain": VALUE}}, parent)
    said = everything([*asked, *answered, *shown])
    assert said.count("[secret TOKEN]") == 3
    assert "canary" not in said


def stream(talk, text, parent, name="stdout"):
    return told(talk.publish("stream", {"name": name, "text": text}, parent))


def test_over_the_edge_of_two_messages(talk):
    """The halves of a secret are put together before anybody sees the first."""
    parent = talk.execute()
    messages = stream(talk, f"x{VALUE[:9]}", parent) + stream(talk, f"{VALUE[9:]}y", parent)
    assert [content["text"] for _, _, content in messages] == ["x", "[secret TOKEN]y"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("display_data", {"data": {"text/plain": "plot"}, "metadata": {}}),
        ("status", {"execution_state": "idle"}),
    ],
)
def test_the_end_of_a_stream_is_not_lost(talk, kind, content):
    """What was held back comes before whatever comes next, under its own cell."""
    parent = talk.execute()
    stream(talk, "can", parent)
    actions = talk.publish(kind, content, parent)
    assert told(actions)[0] == (Channel.IOPUB, "stream", {"name": "stdout", "text": "can"})
    assert RawMessage.from_parts(actions[0].parts).parent == parent


def test_output_of_another_cell(talk):
    """A cell's last letters stay with it when the next cell prints."""
    first, second = talk.execute(), talk.execute()
    stream(talk, "can", first)
    actions = talk.publish("stream", {"name": "stdout", "text": "other"}, second)
    parents = [RawMessage.from_parts(action.parts).parent for action in actions]
    assert parents == [first, second]


def test_base64_of_a_header(talk):
    """As an HTTP client would print what it sends."""
    header = base64.b64encode(f"user:{VALUE}".encode()).decode()
    said = stream(talk, f"Authorization: Basic {header}\n", talk.execute())
    assert "[secret TOKEN]" in said[0][2]["text"]
