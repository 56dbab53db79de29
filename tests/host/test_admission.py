"""What clients may send, and a kernel may answer."""

import pytest

from sandbox_kernel.host.hygiene import MAX_PROMPT
from sandbox_kernel.wire import Channel
from tests.host.messages import Conversation, told


@pytest.fixture
def talk():
    return Conversation()


@pytest.mark.parametrize(
    ("channel", "msg_type"),
    [
        (Channel.SHELL, "strange_request"),
        (Channel.SHELL, "debug_request"),
        (Channel.SHELL, "input_reply"),
        (Channel.SHELL, "stream"),
        (Channel.CONTROL, "comm_msg"),
        (Channel.CONTROL, "execute_reply"),
        (Channel.STDIN, "execute_request"),
    ],
)
def test_types_have_their_channels(talk, channel, msg_type):
    """What no kernel has a handler for there does not enter, and is not waited for."""
    talk.ask(msg_type, {"code": "1"}, channel=channel)
    assert talk.asked == []
    assert talk.guard.ledger.waiting(channel) is None


def test_a_cell_is_let_in_once(talk):
    """A cell with the id of one that is open would have one reply for two."""
    parent = talk.execute()
    raw = talk.last
    assert list(talk.guard.from_client(Channel.SHELL, raw)) == []
    assert len(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)) == 1


@pytest.mark.parametrize("content", [{}, {"code": 1}, {"code": None}, {"code": ["1"]}])
def test_a_cell_without_code_is_answered(talk, content):
    """The kernel would neither run nor answer it, and its deadline would kill the kernel."""
    talk.ask("execute_request", content)
    assert [kind for _, kind, _ in told(talk.asked)] == ["status", "error", "execute_reply", "status"]
    assert talk.guard.ledger.running() is None


def test_answers_need_questions(talk):
    """An answer to nothing would be taken for that to the next question."""
    cell = talk.execute(allow_stdin=True)
    talk.ask("input_reply", {"value": "early"}, channel=Channel.STDIN)
    assert talk.asked == []
    talk.say(Channel.STDIN, "input_request", {"prompt": "?"}, cell)
    for count in (1, 0):
        talk.ask("input_reply", {"value": "x"}, channel=Channel.STDIN)
        assert len(talk.asked) == count


def test_a_question_is_short(talk):
    """No page of text comes as a question."""
    cell = talk.execute(allow_stdin=True)
    asked = talk.say(Channel.STDIN, "input_request", {"prompt": "x" * 100_000}, cell)
    assert len(told(asked)[0][2]["prompt"]) == MAX_PROMPT


def test_a_cell_that_forges_its_reply_goes_on(talk):
    """It loses its true reply, and no output: that is collected until it is idle."""
    cell = talk.execute()
    assert talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell)
    assert talk.publish("stream", {"name": "stdout", "text": "late"}, cell)
    assert talk.say(Channel.SHELL, "execute_reply", {"status": "error"}, cell) == []
    assert len(talk.publish("status", {"execution_state": "idle"}, cell)) == 1
    assert talk.publish("status", {"execution_state": "idle"}, cell) == []


@pytest.mark.parametrize("msg_type", ["complete_request", "comm_msg"])
def test_a_message_beside_is_owed_one_idle(talk, msg_type):
    """The same for what runs no cell."""
    asked = talk.ask(msg_type, {"comm_id": "c", "data": {}})
    assert len(talk.publish("status", {"execution_state": "idle"}, asked)) == 1
    assert talk.publish("status", {"execution_state": "idle"}, asked) == []


def test_nobody_says_farewell_unasked(talk):
    """A console would take the kernel for ended, and end."""
    assert talk.publish("shutdown_reply", {"status": "ok", "restart": False}) == []
    asked = talk.ask("shutdown_request", {}, channel=Channel.CONTROL)
    assert len(talk.publish("shutdown_reply", {"status": "ok", "restart": False}, asked)) == 1
