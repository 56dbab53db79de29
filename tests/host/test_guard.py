"""The guard's rules, without a socket or a kernel."""

import json
import threading

import pytest
from jupyter_client.session import Session

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.guard import MAX_REFUSED, ToClient, ToGuest, ViolationError
from sandbox_kernel.host.hooks import Observer
from sandbox_kernel.host.hygiene import MAX_HEADER
from sandbox_kernel.host.jupyter import BESIDE, PROTOCOL_VERSION, RawMessage, Signer, compose
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message, Oversized
from tests.host.messages import OUTER, Conversation, told

OUTPUT = 40_000


@pytest.fixture
def talk():
    return Conversation(Policy(output=OUTPUT))


def test_a_request_crosses_without_its_signature(talk):
    """User code never sees a signature of the key that clients use."""
    talk.execute("x = 1")
    (action,) = talk.asked
    assert isinstance(action, ToGuest)
    raw = RawMessage.from_parts(action.parts)
    assert raw.signature == b""
    assert raw.identities == (b"client",)


def test_a_request_with_a_wrong_signature_goes_nowhere(talk):
    """Without the outer key nothing enters the sandbox."""
    raw = compose("execute_request", {"code": "1"}, identities=(b"stranger",))
    assert list(talk.guard.from_client(Channel.SHELL, Signer(b"guess").parts(raw))) == []
    assert talk.guard.ledger.running() is None


@pytest.mark.parametrize(
    "parts", [[], [b""], [b"a", b"b"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"x", b"{}", b"{}", b"{}", b"{}"]]
)
def test_junk_from_a_client_is_dropped(talk, parts):
    """A client's junk is neither passed on nor an error."""
    assert list(talk.guard.from_client(Channel.SHELL, parts)) == []


def test_output_reaches_clients_signed_with_the_outer_key(talk):
    """What the kernel publishes is signed anew for the clients."""
    parent = talk.execute()
    actions = talk.publish("stream", {"name": "stdout", "text": "hi"}, parent)
    assert told(actions) == [(Channel.IOPUB, "stream", {"name": "stdout", "text": "hi"})]


@pytest.mark.parametrize(
    "start", ['{"name": "stdout", "text": "', '{"name": "x", "text": "', '{"n": NaN, "text": "']
)
def test_a_long_output_is_signed_as_it_leaves(start):
    """Its signature is begun before it is read: it may pass as it came, be changed, repaired or refused."""
    talk = Conversation(Policy())
    parent, threads = talk.execute(), threading.active_count()
    content = start.encode() + b"x" * BESIDE + b'"}'
    ((_, _, shown),) = told(talk.publish("stream", content, parent))
    assert shown == {"name": "stdout", "text": "x" * BESIDE}
    ((_, _, shown),) = told(talk.publish("stream", content + b"[", parent))
    assert "is not shown" in shown["text"]
    assert threading.active_count() == threads


def test_buffers_cross_untouched(talk):
    """Binary buffers of a widget arrive as they were."""
    buffers = (b"\x00" * 10, b"\xff")
    (action,) = talk.publish("comm_msg", {"comm_id": "c", "data": {}}, buffers=buffers)
    assert RawMessage.from_parts(action.parts).buffers == buffers


def test_a_reply_needs_a_request(talk):
    """A reply that answers nothing, answers twice, or answers another type is not passed on."""
    parent = talk.execute()
    stray = compose("execute_request", {}).header
    assert talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, stray) == []
    assert talk.say(Channel.SHELL, "complete_reply", {"status": "ok"}, parent) == []
    assert talk.say(Channel.CONTROL, "execute_reply", {"status": "ok"}, parent) == []
    assert len(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)) == 1
    assert talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent) == []


def test_a_reply_goes_to_who_asked(talk):
    """A kernel cannot address another client: the address is the request's."""
    parent = talk.execute()
    (action,) = talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent, identities=(b"victim",))
    assert RawMessage.from_parts(action.parts).identities == (b"client",)


def test_an_early_idle_does_not_end_the_cell(talk):
    """nbclient stops collecting at idle, so a forged one is held until the reply; a second is none."""
    parent = talk.execute()
    assert talk.publish("status", {"execution_state": "idle"}, parent) == []
    assert len(talk.publish("stream", {"name": "stdout", "text": "late"}, parent)) == 1
    kinds = [kind for _, kind, _ in told(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent))]
    assert kinds == ["execute_reply", "status"]
    assert not talk.publish("status", {"execution_state": "idle"}, parent)


def test_output_after_an_idle_that_overtook_its_reply_costs_no_idle(talk):
    """A thread of the cell may speak in between; the kernel says that it is idle once only."""
    parent = talk.execute()
    talk.publish("status", {"execution_state": "idle"}, parent)
    talk.publish("stream", {"name": "stdout", "text": "from a thread"}, parent)
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    assert not list(talk.guard.ledger.open_cells())


@pytest.mark.parametrize("content", [b"{", b'{"a":' + b"[" * 1000, b'{"status": "ok"}}'])
def test_a_reply_that_cannot_be_read_is_answered_all_the_same(talk, content):
    """The kernel is done with the cell, so its client must not wait for ever."""
    parent = talk.execute()
    answers = told(talk.say(Channel.SHELL, "execute_reply", content, parent))
    assert [kind for _, kind, _ in answers] == ["error", "execute_reply"]
    assert "reply has" in answers[-1][2]["evalue"]


def test_an_idle_that_overtook_its_reply_is_not_lost(talk):
    """The two channels race: an idle that came first is passed on with the reply."""
    parent = talk.execute()
    talk.publish("status", {"execution_state": "idle"}, parent)
    kinds = [kind for _, kind, _ in told(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent))]
    assert kinds == ["execute_reply", "status"]


@pytest.mark.parametrize("idle", [False, True], ids=["silent", "idle"])
def test_a_cell_whose_reply_was_lost_ends_with_the_next(talk, idle):
    """A kernel takes its cells in turn: one that has answered a later cell will not answer the earlier."""
    lost, later = talk.execute(), talk.execute()
    if idle:
        talk.publish("status", {"execution_state": "idle"}, lost)
    ends = told(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, later))
    ends += told(talk.publish("status", {"execution_state": "idle"}, later))
    replies = [content for _, kind, content in ends if kind == "execute_reply"]
    assert [reply.get("ename") for reply in replies] == ["ReplyLost", None]
    kinds = [kind for _, kind, _ in ends]
    assert kinds.count("status") == kinds.count("execute_reply") == 2
    assert kinds.index("execute_reply") < kinds.index("status")
    assert not list(talk.guard.ledger.open_cells())
    assert not talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, lost)


def test_a_lost_reply_of_a_cell_that_is_overdue(talk):
    """What the guard has interrupted ends in its deadline, also if nothing else is heard of it."""
    lost, later = talk.execute(), talk.execute()
    talk.guard.interrupted(None, "The deadline passed.")
    ends = told(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, later))
    replies = [content for _, kind, content in ends if kind == "execute_reply"]
    assert [reply.get("evalue") for reply in replies] == ["The deadline passed.", None]
    del lost


def test_a_question_needs_permission(talk):
    """input_request passes only for a running cell whose client allowed it."""
    question = {"prompt": "name?", "password": False}
    parent = talk.execute(allow_stdin=False)
    assert talk.say(Channel.STDIN, "input_request", question, parent) == []
    parent = talk.execute(allow_stdin=True)
    assert told(talk.say(Channel.STDIN, "input_request", question, parent)) == [
        (Channel.STDIN, "input_request", question)
    ]
    assert talk.say(Channel.STDIN, "input_request", question) == []


def test_kernels_publish_only_what_the_protocol_knows(talk):
    """An unknown type on iopub, or a forged iopub_welcome, is not passed on."""
    assert talk.publish("execute_request", {"code": "1"}) == []
    assert talk.publish("iopub_welcome", {"subscription": ""}) == []


def test_output_ends_at_the_budget_with_one_notice(talk):
    """Over the budget comes one notice, then silence; the reply and the idle still arrive."""
    parent = talk.execute()
    sent = [told(talk.publish("stream", {"name": "stdout", "text": "x" * 1000}, parent)) for _ in range(100)]
    passed = [content["text"] for messages in sent for _, _, content in messages]
    notices = [text for text in passed if "[sandbox]" in text]
    assert len(notices) == 1
    assert passed[-1] == notices[0]
    assert sum(map(len, passed)) <= OUTPUT
    assert f"{len(passed) - 1} messages" in notices[0]
    assert len(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)) == 1
    summary, idle = told(talk.publish("status", {"execution_state": "idle"}, parent))
    assert f"in {100 - len(passed) + 1} messages" in summary[2]["text"]
    assert idle[2] == {"execution_state": "idle"}


def test_the_next_cell_has_a_budget_of_its_own(talk):
    """With the idle that ends a cell the account is opened anew; its reply overtakes its output."""
    parent = talk.execute()
    talk.publish("stream", {"name": "stdout", "text": "x" * 2 * OUTPUT}, parent)
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    assert talk.publish("stream", {"name": "stdout", "text": "the rest"}, parent) == []
    talk.publish("status", {"execution_state": "idle"}, parent)
    parent = talk.execute()
    assert told(talk.publish("stream", {"name": "stdout", "text": "y"}, parent))[0][2]["text"] == "y"


@pytest.mark.parametrize("queued", [False, True])
def test_the_notice_goes_to_the_cell_whose_reply_has_overtaken_its_output(talk, queued):
    """A cell that prints too much and ends at once reads why its output ends, and no other cell does."""
    parent = talk.execute()
    if queued:
        talk.execute()
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    (notice,) = talk.publish("stream", {"name": "stdout", "text": "x" * 2 * OUTPUT}, parent)
    raw = RawMessage.from_parts(notice.parts)
    assert b"[sandbox]" in raw.content
    assert json.loads(raw.parent)["msg_id"] == json.loads(parent)["msg_id"]


def test_other_parents_open_no_second_account(talk):
    """Choosing another parent header does not get round the budget."""
    talk.execute()
    passed = 0
    for _ in range(200):
        forged = compose("execute_request", {}).header
        passed += len(talk.publish("stream", {"name": "stdout", "text": "x" * 1000}, forged))
    assert passed * 1000 <= OUTPUT + 1000


def test_a_flood_of_tiny_messages_is_bounded():
    """Each message costs its overhead, so that a million empty ones are over budget too."""
    for msg_type, content in (
        ("stream", {"name": "stdout", "text": ""}),
        ("status", {"execution_state": "busy"}),
        ("clear_output", {"wait": True}),
    ):
        talk = Conversation(Policy(output=OUTPUT))
        parent = talk.execute()
        assert sum(len(talk.publish(msg_type, content, parent)) for _ in range(1000)) < 200


def test_a_flood_of_idles_is_bounded(talk):
    """A client's message is owed one idle; more are charged to the budget."""
    parent = talk.execute()
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    assert sum(len(talk.publish("status", {"execution_state": "idle"}, parent)) for _ in range(1000)) < 200


def test_a_message_too_large_to_hold_is_named(talk):
    """What was never held is still accounted for, under the cell that sent it."""
    talk.execute()
    actions = list(talk.guard.from_guest(Oversized(Channel.IOPUB, 10**9, 7)))
    assert "[sandbox]" in told(actions)[0][2]["text"]


def test_a_reply_too_large_to_hold_still_ends_the_cell(talk):
    """The client is not left waiting for a reply that was thrown away."""
    parent = talk.execute()
    kinds = [kind for _, kind, _ in told(list(talk.guard.from_guest(Oversized(Channel.SHELL, 10**9, 7))))]
    assert kinds == ["error", "execute_reply"]
    assert told(talk.publish("status", {"execution_state": "idle"}, parent))[0][1] == "status"


def test_code_over_the_limit_is_refused_outside():
    """Code larger than the policy allows never enters; the client gets an error that says so."""
    talk = Conversation(Policy(code=1024))
    talk.execute("x" * 2000)
    messages = told(talk.asked)
    assert [kind for _, kind, _ in messages] == ["status", "error", "execute_reply", "status"]
    assert "code" in messages[1][2]["evalue"]
    assert talk.guard.ledger.running() is None


HOSTILE = {
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no object": b"[1]",
    "no json": b"{",
    "empty": b"",
    "not UTF-8": b'{"name": "stdout", "text": "\xed\xa0\x80"}',
    "a huge number": b'{"name": "stdout", "text": "", "n": ' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("part", ["header", "parent", "metadata", "content"])
def test_broken_json_is_dropped(content, part):
    """No JSON of a kernel raises, here or in a client: what cannot be repaired is dropped."""
    talk = Conversation()
    whole = {"content": {"name": "stdout", "text": "x"}}
    assert talk.publish("stream", **(whole | {part: content})) == []
    assert talk.guard.refused


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_broken_json_of_a_client_harms_nobody(content):
    """A client with the key and a bug does not end the kernel, nor wait for an answer that cannot come."""
    talk = Conversation()
    raw = compose("execute_request", {"code": "1"})._replace(header=content)
    assert list(talk.guard.from_client(Channel.SHELL, Signer(OUTER).parts(raw))) == []
    raw = compose("execute_request", {"code": "1"})._replace(content=content)
    answer = told(talk.guard.from_client(Channel.SHELL, Signer(OUTER).parts(raw)))
    assert [kind for _, kind, _ in answer] == ["status", "error", "execute_reply", "status"]
    assert talk.guard.ledger.running() is None


BOMBS = {
    "containers": b'{"a":[' + b"[]," * 300_000 + b"[]]}",
    "values": b'{"a":[' + b"1," * 4_500_000 + b"1]}",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_json_that_swells_when_read_is_not_read(content):
    """Few bytes that become gigabytes of objects are dropped before any parser meets them."""
    assert Conversation().publish("stream", content) == []


def test_commas_and_brackets_of_a_text_are_no_values():
    """A large table in a text is an ordinary output."""
    text = "[1,2],\\" * 1_000_000
    assert told(Conversation().publish("stream", {"name": "stdout", "text": text}))[0][2]["text"] == text


HEADERS = [
    {"date": "2024-99-99T99:99:99Z"},
    {"date": "2024-01-01T00:00:00"},
    {"date": 1},
    {"version": "x"},
    {"version": None},
    {"username": "2024-99-99T99:99:99Z"},
    {"session": ["a"]},
    {"anything": "2024-99-99T99:99:99Z"},
    {"deep": {"date": "2024-99-99T99:99:99Z"}},
    {"subshell_id": 1},
]


@pytest.mark.parametrize("change", HEADERS)
@pytest.mark.parametrize("part", ["header", "parent"])
@pytest.mark.filterwarnings("error")
def test_any_header_can_be_read_by_a_client(change, part):
    """jupyter_client reads what comes out, whatever dates and versions a kernel makes up."""
    talk = Conversation()
    header = json.dumps({**json.loads(compose("stream", {}).header), **change}).encode()
    (action,) = talk.publish("stream", {"name": "stdout", "text": "x"}, **{part: header})
    session = Session(key=OUTER)
    _, parts = session.feed_identities(list(action.parts))
    assert session.deserialize(parts)["content"]["text"] == "x"


def test_a_message_that_is_said_twice_is_two_messages(talk):
    """A client refuses to see a signature twice; no two messages of ours have the same."""
    session = Session(key=OUTER)
    raw = compose("stream", {"name": "stdout", "text": "x"}, identities=(b"t",))
    for _ in range(2):
        (action,) = talk.guard.from_guest(Message(Channel.IOPUB, raw.parts()))
        session.deserialize(session.feed_identities(list(action.parts))[1])


@pytest.mark.parametrize("key", [OUTER, b"other"])
def test_a_signed_message_is_none_of_our_kernels(talk, key):
    """They have no key; what is signed was meant for somebody else."""
    raw = compose("stream", {"name": "stdout", "text": "x"}, identities=(b"t",))
    assert list(talk.guard.from_guest(Message(Channel.IOPUB, Signer(key).parts(raw)))) == []
    assert talk.guard.refused == 1


@pytest.mark.parametrize("identities", [(b"a",) * 9, (b"x" * 256,)])
def test_a_strange_address_is_no_address(talk, identities):
    """More or longer routing parts than clients have are refused."""
    assert talk.publish("stream", {"name": "stdout", "text": "x"}, identities=identities) == []


def test_a_header_of_a_megabyte_is_refused():
    """Headers are small; a large one is not even read."""
    padded = json.dumps({**json.loads(compose("stream", {}).header), "x": "y" * MAX_HEADER}).encode()
    assert Conversation().publish("stream", {"name": "stdout", "text": "x"}, header=padded) == []


def test_questions_are_charged(talk):
    """A cell may not ask a client without end."""
    parent = talk.execute(allow_stdin=True)
    asked = [talk.say(Channel.STDIN, "input_request", {"prompt": "x" * 1000}, parent) for _ in range(200)]
    assert 0 < sum(map(len, asked)) * 1000 <= OUTPUT


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_a_large_status_is_none(state):
    """A status is one word; what is larger does not pass as output, or a cell could end early by it."""
    talk = Conversation()
    parent = talk.execute()
    assert talk.publish("status", {"execution_state": state, "x": "y" * 70_000}, parent) == []


def test_early_idles_of_many_cells_are_small():
    """One is held for each cell that waits, maybe thousands; it may carry nothing."""
    talk = Conversation()
    parents = [talk.execute() for _ in range(100)]
    for parent in parents:
        talk.publish("status", {"execution_state": "idle", "x": "y" * 2000}, parent)
        talk.publish("status", {"execution_state": "idle"}, parent, buffers=(b"xy",) * 4000)
        talk.publish("status", {"execution_state": "idle", "x": "y" * 900}, parent)
    held = [cell.held_idle for cell in talk.guard.ledger.open_cells()]
    assert all(parts and sum(map(len, parts)) < 2000 and len(parts) < 10 for parts in held)
    assert talk.guard.refused == 200


def test_after_the_budget_even_small_messages_are_silent(talk):
    """The end of a cell's output is one end: what would still fit does not slip through."""
    parent = talk.execute()
    talk.publish("stream", {"name": "stdout", "text": "x" * 2 * OUTPUT}, parent)
    assert talk.publish("stream", {"name": "stdout", "text": "y"}, parent) == []


def test_breaking_the_rules_without_end_is_an_end():
    """A kernel that sends nothing but nonsense is not listened to for ever."""
    talk = Conversation()
    with pytest.raises(ViolationError):
        for _ in range(MAX_REFUSED + 1):
            list(talk.guard.from_guest(Message(Channel.SHELL, (b"x",))))


ADVISED = [
    ("MemoryError", "", "'memory'"),
    ("_ArrayMemoryError", "Unable to allocate 8 GiB", "'memory'"),
    ("BlockingIOError", "[Errno 11] Resource temporarily unavailable", "'pids'"),
    ("RuntimeError", "can't start new thread", "'pids'"),
    ("ZeroDivisionError", "", None),
]


@pytest.mark.parametrize(("name", "words", "field"), ADVISED)
def test_errors_at_a_limit_name_the_limit(talk, name, words, field):
    """Where Python only says that something failed, the cell is told what its policy allows."""
    parent = talk.execute()
    reply = {"status": "error", "ename": name, "evalue": words, "traceback": []}
    messages = told(talk.say(Channel.SHELL, "execute_reply", reply, parent))
    notices = [content["text"] for _, kind, content in messages if kind == "stream"]
    assert [field in text for text in notices] == ([True] if field else [])


def test_the_ledger_holds_so_many(monkeypatch):
    """Requests that are never answered do not pile up."""
    monkeypatch.setattr("sandbox_kernel.host.ledger.MAX_OPEN", 5)
    talk = Conversation()
    cells = [talk.execute() for _ in range(5)]
    talk.execute()
    assert [kind for _, kind, _ in told(talk.asked)] == ["status", "error", "execute_reply", "status"]
    asked = [talk.ask("complete_request", {}) for _ in range(6)]
    assert talk.say(Channel.SHELL, "complete_reply", {"status": "ok"}, asked[0]) == []
    assert talk.say(Channel.SHELL, "complete_reply", {"status": "ok"}, asked[1])
    for cell in cells:  # none of them has been forgotten
        assert talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell)
        assert talk.publish("status", {"execution_state": "idle"}, cell)


def test_cells_of_two_subshells_are_both_interrupted():
    """A deadline of the session meets all that runs, and none of what waits; each ends in it."""
    talk = Conversation()
    main, waits = talk.execute(), talk.execute()
    raw = compose("execute_request", {"code": "1"}, identities=(b"client",))
    beside = json.dumps({**json.loads(raw.header), "subshell_id": "s"}).encode()
    list(talk.guard.from_client(Channel.SHELL, Signer(OUTER).parts(raw._replace(header=beside))))
    talk.guard.interrupted(None, "The deadline passed.")
    ends = []
    for cell in (main, beside, waits):
        ends += told(talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell))
        talk.publish("status", {"execution_state": "idle"}, cell)
    replies = [content for _, kind, content in ends if kind == "execute_reply"]
    assert [reply["status"] for reply in replies] == ["error", "error", "ok"]
    assert replies[0]["evalue"] == "The deadline passed."
    assert talk.guard.ledger.lanes() == []
    talk.execute()
    assert len(talk.guard.ledger.lanes()) == 1


def test_headers_of_the_past_are_held_up_to_a_size(monkeypatch):
    """Output of a thread belongs to its old cell, as long as that is remembered; then to none."""
    monkeypatch.setattr("sandbox_kernel.host.ledger.MAX_PAST", 5000)
    talk = Conversation()
    cells = [talk.execute() for _ in range(20)]
    for cell in cells:
        talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell)
        talk.publish("status", {"execution_state": "idle"}, cell)
    parents = []
    for cell in cells:
        (action,) = talk.publish("stream", {"name": "stdout", "text": "x"}, cell)
        parents.append(RawMessage.from_parts(action.parts).parent)
    assert parents[0] == b"{}"
    assert parents[-1] == cells[-1]
    assert 5 < len(set(parents)) < 20


def test_ids_of_two_channels_may_be_the_same():
    """Clones of one session count alike: a shutdown may have the id of a running cell."""
    talk = Conversation()
    cell = talk.execute()
    clone = compose("shutdown_request", {}, identities=(b"client",))
    header = json.dumps({**json.loads(clone.header), "msg_id": json.loads(cell)["msg_id"]}).encode()
    parts = Signer(OUTER).parts(clone._replace(header=header))
    assert [type(action) for action in talk.guard.from_client(Channel.CONTROL, parts)] == [ToGuest]
    assert talk.say(Channel.CONTROL, "shutdown_reply", {"status": "ok"}, header)
    assert talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, cell)


def test_what_a_kernel_says_of_itself_is_made_safe():
    """nbconvert makes file names of a kernel's file_extension."""
    talk = Conversation()
    parent = talk.ask("kernel_info_request", {})
    lie = {
        "protocol_version": "x.y",
        "language_info": {"file_extension": "/../../x", "pygments_lexer": "x; import"},
    }
    ((_, _, content),) = told(talk.say(Channel.SHELL, "kernel_info_reply", lie, parent))
    assert content["protocol_version"] == PROTOCOL_VERSION
    assert content["language_info"] == {"file_extension": ".py", "pygments_lexer": "x import"}


@pytest.mark.parametrize(
    "parts",
    [(), (b"",), (b"<IDS|MSG>",), (b"x",) * 100, (b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"{}")],
)
@pytest.mark.parametrize("channel", [Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB])
def test_junk_from_the_guest_is_dropped(talk, channel, parts):
    """Anything that is no message of the kernel leads to nothing."""
    assert list(talk.guard.from_guest(Message(channel, parts))) == []


@pytest.mark.parametrize("channel", list(Channel))
def test_a_client_s_message_in_thousands_of_parts_is_dropped(talk, channel):
    """It would not fit through the tunnel; on the heartbeat anybody who connects could send one."""
    talk.guard.kernel_ready = True
    assert not list(talk.guard.from_client(channel, [b"client", b""] + [b"x"] * 5000))


@pytest.mark.parametrize("beat", [[b"client", b"", b"x" * 5000], [b"x"] * 5], ids=["long", "in parts"])
def test_a_strange_heartbeat_is_dropped(talk, beat):
    """Whoever beats needs no key, so a beat may cost nothing."""
    talk.guard.kernel_ready = True
    assert not list(talk.guard.from_client(Channel.HEARTBEAT, beat))


def test_heartbeats_answer_pings_only(talk):
    """An echo that nobody waits for is not passed on."""
    talk.guard.kernel_ready = True
    echo = Message(Channel.HEARTBEAT, (b"client", b"", b"ping"))
    other = Message(Channel.HEARTBEAT, (b"victim", b"", b"ping"))
    assert list(talk.guard.from_guest(echo)) == []
    list(talk.guard.from_client(Channel.HEARTBEAT, [b"client", b"", b"ping"]))
    assert list(talk.guard.from_guest(other)) == []
    assert len(list(talk.guard.from_guest(echo))) == 1
    assert list(talk.guard.from_guest(echo)) == []


def test_a_starting_kernel_beats(talk):
    """A client that is early gets its echo from outside, and does not take the kernel for dead."""
    ping = [b"client", b"", b"ping"]
    assert list(talk.guard.from_client(Channel.HEARTBEAT, ping)) == [ToClient(Channel.HEARTBEAT, tuple(ping))]
    talk.guard.kernel_ready = True
    assert list(talk.guard.from_client(Channel.HEARTBEAT, ping)) == [ToGuest(Channel.HEARTBEAT, tuple(ping))]


def test_each_subscriber_is_welcomed(talk):
    """The guard says iopub_welcome itself, with the topic that was subscribed to."""
    assert told([talk.guard.welcome(b"")]) == [(Channel.IOPUB, "iopub_welcome", {"subscription": ""})]


def test_the_last_words_name_the_cause_in_the_running_cell(talk):
    """The running cell gets error, reply and idle with the cause; queued cells are aborted."""
    first, second = talk.execute(), talk.execute()
    death = Death("memory", "Killed: used 1 GiB of 1 GiB memory.", ExitCode.LIMIT, -9)
    actions = list(talk.guard.last_words(death))
    assert [(kind, content.get("status"), content.get("evalue")) for _, kind, content in told(actions)] == [
        ("error", None, death.sentence),
        ("execute_reply", "error", death.sentence),
        ("status", None, None),
        ("execute_reply", "aborted", None),
        ("status", None, None),
    ]
    parents = [json.loads(RawMessage.from_parts(action.parts).parent)["msg_id"] for action in actions]
    assert parents == [json.loads(first)["msg_id"]] * 3 + [json.loads(second)["msg_id"]] * 2


class Witness(Observer):
    def __init__(self):
        self.heard = []

    def cell_asked(self, request, code):
        self.heard.append(("asked", code))

    def cell_ended(self, cell):
        self.heard.append(("ended", cell.status, cell.dropped > 0))

    def output_ended(self, msg_id, shown, dropped):
        self.heard.append(("output ended", dropped > OUTPUT))

    def refused(self, what):
        self.heard.append(("refused", what))


def test_an_observer_hears_of_cells_and_refusals():
    """Who runs what, how it ended, and what was dropped can be written down from outside."""
    witness = Witness()
    talk = Conversation(Policy(output=OUTPUT), observer=witness)
    parent = talk.execute("x = 1")
    talk.publish("stream", {"name": "stdout", "text": "x" * 2 * OUTPUT}, parent)
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    talk.say(Channel.SHELL, "execute_reply", {"status": "ok"}, parent)
    talk.publish("status", {"execution_state": "idle"}, parent)
    assert witness.heard == [
        ("asked", "x = 1"),
        ("ended", "ok", True),
        ("refused", "a reply that nobody waits for on SHELL"),
        ("output ended", True),
    ]


def test_filters_change_what_clients_get():
    """Output, replies and questions pass every filter, after they were brought into shape."""

    def shout(msg_type, content):
        return {name: value.upper() if name == "text" else value for name, value in content.items()}

    def mark(msg_type, content):
        return content | {"seen": msg_type}

    talk = Conversation(filters=(shout, mark))
    parent = talk.execute(allow_stdin=True)
    sent = talk.publish("stream", {"name": "stdout", "text": "x"}, parent)
    assert told(sent)[0][2] == {"name": "stdout", "text": "X", "seen": "stream"}
    for channel, msg_type in ((Channel.STDIN, "input_request"), (Channel.SHELL, "execute_reply")):
        assert told(talk.say(channel, msg_type, {"status": "ok"}, parent))[0][2]["seen"] == msg_type
