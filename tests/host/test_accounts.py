"""What a cell may put out, and what becomes of the rest."""

import json
import re

import pytest

from sandbox_kernel.host.budget import BURST, OVERHEAD, UNREAD, Budget
from sandbox_kernel.host.guard import FREE_REPLY, MAX_REPLY
from sandbox_kernel.host.jupyter import RawMessage
from sandbox_kernel.policy import MiB, Policy
from sandbox_kernel.wire import Channel, Oversized
from tests.host.messages import Conversation, told


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def text(size):
    return {"name": "stdout", "text": "x" * size}


def notices(actions):
    return [c["text"] for _, kind, c in told(actions) if kind == "stream" and "[sandbox]" in c["text"]]


def end(talk, cell):
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell)
    return talk.publish("status", {"execution_state": "idle"}, cell)


@pytest.mark.parametrize("each", [60, 5000])
def test_what_takes_a_client_much_to_hold_is_charged(each):
    """An empty mapping is three bytes of JSON, and hundreds in the client that keeps a notebook's outputs."""
    talk, passed = Conversation(Policy(output=4 * MiB)), []
    cell = talk.execute()
    shown = {"data": {"application/json": [{}] * each}, "metadata": {}}
    for _ in range(1000):
        passed += talk.publish("display_data", shown, cell)
    assert sum(kind == "display_data" for _, kind, _ in told(passed)) * each < 30_000
    assert [text for text in notices(passed) if "the lists and mappings in it take" in text]
    end(talk, cell)
    assert len(talk.publish("display_data", shown, talk.execute())) == 1


def test_texts_with_many_brackets_cost_their_bytes():
    """They are text to whoever keeps them."""
    talk = Conversation(Policy(output=4 * MiB))
    cell = talk.execute()
    for content in ({"name": "stdout", "text": "[{" * 30}, {"name": "stdout", "text": "[{" * 3000}):
        assert all(talk.publish("stream", content, cell) for _ in range(300))
    assert talk.guard.budget.held == 0


def test_an_empty_message_is_not_free():
    """It costs its client a header, so that a million of them is over every budget."""
    account = Budget(Policy(output=64 << 10), Clock())
    assert sum(account.charge(0) for _ in range(1000)) == (64 << 10) // OVERHEAD


def test_a_message_over_the_size_for_messages_is_left_out():
    """One output that is too large is named with both sizes, once; what follows is shown."""
    talk = Conversation(Policy(message=1 * MiB))
    cell = talk.execute()
    (said,) = notices(talk.publish("stream", text(2 * MiB), cell))
    assert re.search(r"output of 2 MiB .* allows messages of 1 MiB \('message'\)", said)
    assert talk.publish("stream", text(2 * MiB), cell) == []
    assert len(talk.publish("stream", text(100), cell)) == 1
    (summary,) = notices(end(talk, cell))
    assert "Dropped: 4 MiB in 2 messages" in summary


def test_a_message_that_was_never_held_is_left_out():
    """The same where the wire did not even take it in."""
    talk = Conversation(Policy(message=1 * MiB))
    cell = talk.execute()
    (said,) = notices(list(talk.guard.from_guest(Oversized(Channel.IOPUB, 3 << 30, 5))))
    assert "3 GiB" in said
    assert len(talk.publish("stream", text(100), cell)) == 1


def test_outputs_are_counted_as_a_notebook_holds_them():
    """Displays, results, errors and runs of text count; more text to the same stream does not."""
    talk = Conversation(Policy(outputs=10))
    cell = talk.execute()
    for _ in range(500):
        assert len(talk.publish("stream", text(1), cell)) == 1
    shown = [talk.publish("display_data", {"data": {"text/plain": "x"}}, cell) for _ in range(30)]
    kinds = [kind for actions in shown for _, kind, _ in told(actions)]
    assert kinds == ["display_data"] * 9 + ["stream"]
    assert "10 outputs ('outputs')" in notices(shown[9])[0]
    assert talk.publish("stream", text(1), cell) == []


def test_cleared_outputs_are_none():
    """An animation that clears its frames may go on for ever."""
    talk = Conversation(Policy(outputs=10))
    cell = talk.execute()
    for _ in range(100):
        talk.publish("clear_output", {"wait": True}, cell)
        assert len(talk.publish("display_data", {"data": {"text/plain": "x"}}, cell)) == 1


def test_the_rate_is_kept_over_all_cells():
    """Short cells one after the other send no more than so much a second, on average."""
    clock = Clock()
    talk = Conversation(Policy(output_rate=64 << 10), now=clock)
    passed = 0
    for _ in range(100):
        cell = talk.execute()
        clock.time += 0.1
        sent = talk.publish("stream", text(64 << 10), cell)
        passed += not notices(sent)
        assert notices(sent) == [] or "64 KiB per second" in notices(sent)[0]
        end(talk, cell)
    assert BURST - 1 <= passed <= BURST + 10
    clock.time += 2
    assert not notices(talk.publish("stream", text(64 << 10), talk.execute()))


def test_what_clients_leave_unread_is_bounded():
    """A client that never reads cannot make the host hold more than a cell's output, and some."""
    talk = Conversation(Policy(output=1 * MiB))
    cell = talk.execute()
    talk.guard.budget.unread = 1 * MiB + UNREAD
    (said,) = notices(talk.publish("stream", text(10), cell))
    assert "wait for a client of this kernel that does not read them" in said
    end(talk, cell)
    talk.guard.budget.unread = 0
    assert len(talk.publish("stream", text(10), talk.execute())) == 1


@pytest.mark.parametrize("channel", [Channel.SHELL, Channel.CONTROL])
def test_a_request_beside_a_cell_opens_no_account(channel):
    """A kernel whose client completes, or debugs, while a cell floods gets nothing for it."""
    talk = Conversation(Policy(output=40_000))
    cell = talk.execute()
    talk.publish("stream", text(50_000), cell)
    beside = talk.ask("kernel_info_request", {}, channel=channel)
    talk.say(channel, "kernel_info_reply", {"status": "ok"}, beside)
    assert len(talk.publish("status", {"execution_state": "idle"}, beside)) == 1
    assert talk.publish("stream", text(10), cell) == []


def test_threads_between_cells_get_one_account_for_each_message_of_a_client():
    """Output that belongs to no cell is bounded as that of a cell is; a widget's answer opens the next."""
    talk = Conversation(Policy(output=40_000))
    cell = talk.execute()
    end(talk, cell)
    passed = sum(len(talk.publish("stream", text(1000), cell)) for _ in range(100))
    assert passed < 40
    comm = talk.ask("comm_msg", {"comm_id": "c", "data": {}})
    talk.publish("status", {"execution_state": "idle"}, comm)
    assert len(talk.publish("stream", text(1000), cell)) == 1


def test_replies_have_a_size():
    """A reply above the cap is answered for the kernel; one above the free size is charged."""
    talk = Conversation(Policy(output=1 * MiB))
    asked = talk.ask("inspect_request", {})
    ((_, kind, content),) = told(talk.say(Channel.SHELL, "inspect_reply", {"x": "y" * MAX_REPLY}, asked))
    assert (kind, content["status"], content["ename"]) == ("inspect_reply", "error", "ReplyTooLarge")
    statuses = []
    for _ in range(10):
        asked = talk.ask("complete_request", {})
        reply = {"status": "ok", "x": "y" * (FREE_REPLY + 1)}
        statuses.append(told(talk.say(Channel.SHELL, "complete_reply", reply, asked))[0][2]["status"])
    assert statuses == ["ok"] * 3 + ["error"] * 7


def test_an_unclean_output_is_told_once():
    """A plot that no client could hold is not dropped without a word."""
    talk = Conversation()
    cell = talk.execute()
    deep = b'{"data": {"application/json": ' + b"[" * 1000 + b"]" * 1000 + b"}}"
    (said,) = notices(talk.publish("display_data", deep, cell))
    assert "nested more than 128 deep" in said
    assert talk.publish("display_data", deep, cell) == []


def test_what_is_written_anew_is_no_longer_than_it_was():
    """Repairing a message of many letters of other scripts does not make it six times as long."""
    talk = Conversation()
    content = json.dumps({"name": "no such", "text": "é" * 1000}, ensure_ascii=False).encode()
    (action,) = talk.publish("stream", content, talk.execute())
    assert len(RawMessage.from_parts(action.parts).content) <= len(content)


def test_what_grows_on_its_way_is_charged_as_it_left():
    """A filter that writes more than it read gives a kernel no more to say."""

    def longer(msg_type, content):
        return {**content, "text": content["text"] * 100} if msg_type == "stream" else content

    talk = Conversation(Policy(output=1 * MiB), filters=(longer,))
    cell = talk.execute()
    passed = sum(len(talk.publish("stream", text(1000), cell)) for _ in range(100))
    assert 5 < passed < 15
