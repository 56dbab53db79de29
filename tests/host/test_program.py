"""The guard's rules for a process that is no kernel, without such a process."""

import json
import tracemalloc
from concurrent.futures import Future

import pytest

from sandbox_kernel.host.guard import MAX_REFUSED, ViolationError
from sandbox_kernel.host.program import MAX_ANSWER, MAX_NAME, MAX_SHOWN, MAX_TEXT, ProgramGuard, Ran
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message, Oversized

OUTPUT = 40_000
OK = {"ended": "ok"}


class Talk:
    """A guard, and what a process says to it."""

    def __init__(self, policy: Policy | None = None, masks: Masks | None = None) -> None:
        self.guard = ProgramGuard(
            policy or Policy(output=OUTPUT), outer=b"key", observer=None, masks=masks or Masks()
        )
        self.guard.kernel_ready = True

    def ask(self, code: str = "pass") -> "Future[Ran | None]":
        """Ask for a piece."""
        future: Future[Ran | None] = Future()
        self.guard.begin(code, future)
        return future

    def write(self, stream: int, data: bytes, channel: Channel = Channel.IOPUB) -> None:
        """Write to one of its streams."""
        assert not list(self.guard.from_guest(Message(channel, (b"%d" % stream, data))))

    def say(self, *answers: object) -> None:
        """Answer."""
        for answer in answers:
            self.write(4, json.dumps(answer).encode() + b"\n")


@pytest.fixture
def talk() -> Talk:
    return Talk()


def error(name: str = "E", text: str = "t") -> dict[str, object]:
    return {"ended": "error", "name": name, "text": text, "compiled": True}


def test_what_a_piece_comes_to(talk: Talk) -> None:
    """Its two streams, what it shows and how it ends, however these come in pieces."""
    future = talk.ask()
    talk.write(1, b"caf\xc3")
    talk.write(2, b"warned\n")
    talk.write(1, b"\xa9\n")
    line = json.dumps({"shown": "answer"}).encode() + b"\n" + json.dumps(error("ValueError", "no")).encode()
    for byte in line:
        talk.write(4, bytes([byte]))
    assert not future.done()
    talk.write(4, b"\n")
    assert future.result(0) == Ran("café\n", "warned\n", ("answer",), ("ValueError", "no"))


def test_output_belongs_to_the_piece_that_runs(talk: Talk) -> None:
    """What is printed between two of them is nobody's, and each has an allowance of its own."""
    for _ in range(3):
        future = talk.ask()
        talk.write(1, b"x" * (OUTPUT - 1000))
        talk.say(OK)
        talk.write(1, b"y" * 100)
        ran = future.result(0)
        assert ran == Ran("x" * (OUTPUT - 1000), "", (), None)


def test_output_ends_at_its_budget(talk: Talk) -> None:
    """What is over it is dropped, and the piece goes on; the loss is told."""
    future = talk.ask()
    for _ in range(10):
        talk.write(1, b"x" * 10_000)
    talk.say({"shown": "z" * 20_000}, OK)
    ran = future.result(0)
    assert ran is not None
    assert len(ran.stdout) == OUTPUT
    assert ran.shown == ()
    assert ran.loss is not None
    assert "'output'" in ran.loss


def test_many_lines_are_as_much_as_their_bytes(talk: Talk) -> None:
    """A process that prints line by line may say as much as one that prints all at once."""
    future = talk.ask()
    for _ in range(OUTPUT // 4):
        talk.write(1, b"x\n")
    talk.say(OK)
    assert future.result(0) == Ran("x\n" * (OUTPUT // 4), "", (), None)


@pytest.mark.parametrize(
    "answer",
    [
        b"no JSON",
        b"[" * 100_000,
        b"\xff",
        b"[]",
        b'{"ended": "well"}',
        b'{"shown": 5}',
        b'{"shown": "\\ud800"}',
        b'{"x": ' + b"[" * 100_000,
        b'{"begun": false}',
        b'{"ended": "error", "name": 1, "text": "", "compiled": true}',
        b'{"ended": "error", "name": "", "text": "", "compiled": 1}',
    ],
)
def test_an_answer_that_is_none_is_no_end(talk: Talk, answer: bytes) -> None:
    """It counts among the broken messages, and the piece goes on."""
    future = talk.ask()
    talk.write(4, answer + b"\n")
    assert talk.guard.refused == 1
    talk.say(OK)
    assert future.result(0) == Ran("", "", (), None)


def test_messages_of_a_kernel_are_refused(talk: Talk) -> None:
    """A program has one channel, three streams, and messages of two parts."""
    future = talk.ask()
    talk.write(1, b"x", channel=Channel.SHELL)
    talk.write(7, b"x")
    list(talk.guard.from_guest(Message(Channel.IOPUB, (b"1",))))
    list(talk.guard.from_guest(Oversized(Channel.IOPUB, 1 << 40, 2)))
    assert talk.guard.refused == 4
    talk.say(OK)
    assert future.result(0) == Ran("", "", (), None)


@pytest.mark.parametrize("answer", [OK, {"shown": "forged"}, {"x": 1}])
def test_answers_that_nobody_asked_for_end_it_at_last(talk: Talk, answer: object) -> None:
    """Whoever floods with them is not listened to for ever."""
    with pytest.raises(ViolationError, match="break the rules"):
        for _ in range(MAX_REFUSED + 1):
            talk.say(answer)


def test_a_piece_shows_so_many_texts() -> None:
    """More are refused."""
    talk = Talk(Policy())
    future = talk.ask()
    talk.say(*[{"shown": "x"}] * (MAX_SHOWN + 5), OK)
    ran = future.result(0)
    assert ran is not None
    assert len(ran.shown) == MAX_SHOWN
    assert talk.guard.refused == 5


def test_texts_for_which_there_is_no_room_count_as_well(talk: Talk) -> None:
    """To read them takes as long."""
    talk.ask()
    talk.say({"shown": "x" * OUTPUT}, *[{"shown": "x"}] * (MAX_SHOWN + 4))
    assert talk.guard.refused == 5


def test_empty_lines_are_no_answers(talk: Talk) -> None:
    """The first is: it says that the process is there. A flood of them would take a processor."""
    talk.ask()
    talk.write(4, b"\n")
    assert talk.guard.refused == 0
    with pytest.raises(ViolationError, match="break the rules"):
        talk.write(4, b"\n" * (MAX_REFUSED + 1))


def test_what_nobody_asked_for_takes_no_memory(talk: Talk) -> None:
    """A line may be a million objects, each of which would take twenty times its bytes."""
    talk.ask()
    line = b'{"x": [' + b"{}," * (MAX_ANSWER // 3 - 10) + b"1]}\n"
    tracemalloc.start()
    try:
        talk.write(4, line)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_ANSWER
    finally:
        tracemalloc.stop()
    assert talk.guard.refused == 1


def test_what_has_begun_was_compiled(talk: Talk) -> None:
    """It cannot say otherwise later, to be run once more by a kernel."""
    for begun in (False, True):
        future = talk.ask()
        talk.say(*[{"begun": True}] * begun, {**error(), "compiled": False})
        ran = future.result(0)
        assert ran is not None
        assert ran.compiled is begun
    talk.ask()
    talk.say({"begun": True}, {"begun": True})
    assert talk.guard.refused == 1


def test_an_answer_without_an_end_ends_it(talk: Talk) -> None:
    """It is not collected for ever."""
    talk.ask()
    with pytest.raises(ViolationError, match="an answer of more than 4 MiB"):
        for _ in range(MAX_ANSWER // (1 << 16) + 2):
            talk.write(4, b"x" * (1 << 16))


def test_a_piece_has_so_many_bytes_of_answers(talk: Talk) -> None:
    """However many lines they are: to read gigabytes takes a processor. The next piece has as many."""
    line = b'{"x": "' + b"x" * (MAX_ANSWER // 2) + b'"}\n'
    for _ in range(3):
        future = talk.ask()
        talk.write(4, line)
        talk.say(OK)
        assert future.result(0) == Ran("", "", (), None)
    talk.ask()
    talk.write(4, line)
    with pytest.raises(ViolationError, match="an answer of more than 4 MiB"):
        talk.write(4, line)


def test_texts_are_such_as_can_be_kept(talk: Talk) -> None:
    """Names and texts of errors are cut."""
    future = talk.ask()
    talk.write(
        4,
        b'{"ended": "error", "name": "%s", "text": "%s", "compiled": false}\n' % (b"n" * 999, b"t" * 99_999),
    )
    ran = future.result(0)
    assert ran is not None
    assert ran.error == ("n" * MAX_NAME, "t" * MAX_TEXT)
    assert not ran.compiled


def test_code_has_a_limit() -> None:
    """More than the policy allows is not sent; who asked is told so."""
    talk = Talk(Policy(code=2048))
    ran = talk.ask("x" * 2049).result(0)
    assert ran is not None
    assert ran.error is not None
    assert ran.error[0] == "CodeTooLarge"
    assert "'code'" in ran.error[1]
    assert talk.guard.ledger.running() is None


def test_secrets_are_masked() -> None:
    """Wherever it says them."""
    talk = Talk(masks=Masks({"TOKEN": "abc-secret-xyz"}))
    future = talk.ask()
    talk.write(1, b"abc-secret-xyz")
    talk.write(2, b"abc-secret-")
    talk.write(2, b"xyz")
    talk.say({"shown": "abc-secret-xyz"}, error("abc-secret-xyz", "abc-secret-xyz"))
    assert "abc" not in repr(future.result(0))


def test_early_words_are_for_the_log() -> None:
    """What a process says that does not start is why it does not."""
    talk, heard = Talk(), []
    talk.guard.kernel_ready = False
    talk.guard.on_early = heard.append
    talk.write(2, b"no such file\n")
    assert heard == ["no such file\n"]
