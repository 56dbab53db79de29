"""What a kernel says belongs to something that a client has asked, or to nothing."""

import json

import pytest

from sandbox_kernel.host.jupyter import RawMessage, compose
from sandbox_kernel.wire import Channel
from tests.host.messages import Conversation


@pytest.fixture
def talk():
    return Conversation()


def test_a_reply_of_another_type_is_none(talk):
    """Whoever asks who the kernel is does not read what an object's documentation says."""
    parent = talk.ask("kernel_info_request", {})
    assert talk.say(Channel.SHELL, "inspect_reply", {"status": "ok"}, parent) == []
    assert len(talk.say(Channel.SHELL, "kernel_info_reply", {"status": "ok"}, parent)) == 1


def test_a_cell_that_has_ended_asks_nothing(talk):
    """A thread that it has left behind does not speak to the user in its name."""
    parent = talk.execute(allow_stdin=True)
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    assert talk.say(Channel.STDIN, "input_request", {"prompt": "?"}, parent) == []


def test_a_parent_is_a_client_s_message(talk):
    """In the client's own words, or there is none: a kernel makes up nobody's request."""
    own = talk.execute()
    retold = json.dumps({**json.loads(own), "username": "somebody else"}).encode()
    forged = compose("execute_request", {}).header
    for said, expected in ((own, own), (retold, own), (forged, b"{}")):
        (action,) = talk.publish("stream", {"name": "stdout", "text": "x"}, said)
        assert RawMessage.from_parts(action.parts).parent == expected
