"""Values and files through a running sandbox, with a kernel that tells the truth and one that does not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sandbox_kernel import Sandbox
from sandbox_kernel.errors import TransferError
from sandbox_kernel.notebooks.transfer import FarSide
from sandbox_kernel.session import Outcome, crossing
from sandbox_kernel.session.crossing import Crossing


def test_values(shared: Sandbox) -> None:
    """What is put is a variable inside; what is asked for is the value of any expression."""
    shared.put("numbers", [1, 2.5, None])
    assert shared.run("numbers").value == "[1, 2.5, None]"
    assert shared.get("numbers") == [1, 2.5, None]
    assert shared.get("{'sum': sum(n for n in numbers if n)}") == {"sum": 3.5}
    shared.put("é", b"\0")
    assert shared.get("é") == b"\0"


def test_arrays_and_frames(shared: Sandbox) -> None:
    """Arrays and frames are what they were, on both sides."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.Index([5, 6], name="id"))
    shared.put("frame", frame)
    shared.put("array", np.arange(4.0))
    assert shared.run("frame.loc[6, 'b'], array.sum()").value == "('y', np.float64(6.0))"
    pd.testing.assert_frame_equal(shared.get("frame"), frame)
    np.testing.assert_array_equal(shared.get("array * 2"), [0, 2, 4, 6])
    assert shared.get("array.max()") == np.float64(3)


def test_in_pieces(shared: Sandbox) -> None:
    """What is larger than a message crosses in pieces, and nothing of it stays inside."""
    data = bytes(range(256)) * 10_000
    shared.put("data", data)
    assert shared.get("data") == data
    assert shared.get("vars(get_ipython())['_sandbox_values']") == {}


INTERRUPTED = b"""
import base64, builtins
if not hasattr(builtins, "tried"):
    builtins.tried = True
    raise KeyboardInterrupt
def answer(request, data):
    return base64.b64encode(b'{"done": true}' + bytes([10])).decode()
"""


def test_an_interrupt_leaves_no_half_of_a_script(shared: Sandbox) -> None:
    """A first transfer that is cancelled while its script begins does not spoil those that follow."""

    async def twice(crossing: Crossing) -> tuple[dict[str, object], bytes]:
        far = FarSide(crossing._far._ask, INTERRUPTED)
        with pytest.raises(TransferError, match="KeyboardInterrupt"):
            await far.do("x")
        return await far.do("x")

    assert shared._home.submit(shared._session.cross(twice)).result(30) == ({"done": True}, b"")


def test_nothing_is_seen_of_it(shared: Sandbox) -> None:
    """Code finds its names, its history and its count as it left them."""
    before = shared.run("sorted(dir()), _oh.keys(), len(In)")
    shared.get("1 + 1")
    after = shared.run("sorted(dir()), _oh.keys(), len(In)")
    assert after.count == before.count + 1
    assert shared.run("'answer' in dir() or 'asked' in dir()").value == "False"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("missing", "name 'missing' is not defined"),
        ("1 +", "SyntaxError"),
        ("{1, 2}", "{1, 2} does not cross: it is, or has in it, something of type builtins.set"),
        ("[object()]", "type builtins.object"),
        ("b'x' * 2_000_001", "is too large: 2000001 bytes, of which 2000000 may cross"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_got(shared: Sandbox, expression: str, why: str) -> None:
    """An expression that raises, or whose value does not cross, is a sentence."""
    with pytest.raises(TransferError) as raised:
        shared.get(expression, limit=2_000_000)
    assert why in str(raised.value)


def test_what_cannot_be_put(shared: Sandbox) -> None:
    """What does not cross is refused before anything is sent, and so is a name that is none."""
    with pytest.raises(TransferError, match="What was to become x does not cross: it is, or has in it"):
        shared.put("x", {1})
    with pytest.raises(TransferError, match="'for' is not the name of a variable"):
        shared.put("for", 1)
    with pytest.raises(TransferError, match=r"'a\.b' is not the name of a variable"):
        shared.put("a.b", 1)
    with pytest.raises(TransferError, match="too large"):
        shared.put("x", b"123", limit=2)


def test_files(shared: Sandbox, tmp_path: Path) -> None:
    """Files go in from bytes and from files, and come out as bytes and into files."""
    shared.put_file("made/here.txt", b"one")
    (tmp_path / "there.txt").write_bytes(b"two")
    shared.put_file("there.txt", tmp_path / "there.txt")
    assert shared.run("open('made/here.txt').read() + open('there.txt').read()").value == "'onetwo'"
    assert shared.get_file("made/here.txt") == b"one"
    target = tmp_path / "out.txt"
    target.write_bytes(b"old")
    assert shared.get_file("there.txt", to=target) == b"two"
    assert target.read_bytes() == b"two"
    assert sorted(tmp_path.iterdir()) == [target, tmp_path / "there.txt"]


def test_files_that_do_not_cross(shared: Sandbox, tmp_path: Path) -> None:
    """What cannot be read, written, or is too large, is a sentence."""
    with pytest.raises(TransferError, match="missing: No such file"):
        shared.get_file("missing")
    with pytest.raises(TransferError, match="cannot be read"):
        shared.put_file("x", tmp_path / "missing")
    with pytest.raises(TransferError, match="no str"):
        shared.put_file("x", "text")
    with pytest.raises(TransferError, match="more than 2 bytes"):
        shared.put_file("x", b"123", limit=2)
    shared.put_file("x", b"123")
    with pytest.raises(TransferError, match="more than 2 bytes"):
        shared.get_file("x", limit=2)
    with pytest.raises(TransferError, match="cannot be written"):
        shared.get_file("x", to=tmp_path / "missing" / "x")


@pytest.fixture
def liar(shared: Sandbox) -> Iterator[Sandbox]:
    """A sandbox whose `lie` is what every question is answered with."""
    code = (
        "import base64\ntrue = base64.b64encode\n"
        "def lie(b): base64.b64encode = lambda _: true(b) if isinstance(b, bytes) else b"
    )
    shared.run(code).or_raise()
    yield shared
    shared.reset()


@pytest.mark.parametrize(
    "lie",
    [
        "b'{}'",
        "b'[1]'",
        "b''",
        "b'\\n'",
        'b\'{"kind": "pickle", "size": 1}\\n1\'',
        'b\'{"kind": "json", "size": 99999999999}\\n1\'',
        'b\'{"kind": "json", "size": -1}\\n1\'',
        'b\'{"kind": "json", "size": true}\\n12\'',
        'b\'{"kind": "json", "size": 400000}\\n\' + b\'1\' * 10',
        'b\'{"kind": "json", "size": 1}\\n\' + b\'1\' * 10_000_000',
        'b\'{"kind": [], "size": 1}\\n1\'',
        'b\'{"kind": "npy", "size": 1}\\n1\'',
        'b\'{"unsendable": 7, "kind": {}}\\n1\'',
        'b\'{"error": "\\\\u001b]0;x\\\\u0007" }\\n\'',
        "b'[' * 100_000",
        "memoryview(b'not base64')",
    ],
    ids=range(16),
)
def test_lies(liar: Sandbox, lie: str) -> None:
    """Whatever the kernel answers, there is a value of its form, or a sentence that can be printed."""
    liar.run(f"lie({lie})").or_raise()
    with pytest.raises(TransferError) as raised:
        liar.get("1")
    assert str(raised.value).isprintable()
    with contextlib.suppress(TransferError):
        assert isinstance(liar.get_file("x"), bytes)


SLOW = """
import time
told = get_ipython().user_expressions
get_ipython().user_expressions = lambda asked: time.sleep(0.2) or told(asked)
"""


def test_a_kernel_that_drags_its_answers_out(liar: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comes in time, and there would be thousands of them."""
    monkeypatch.setattr(crossing, "FIRST_SECONDS", 1.0)
    monkeypatch.setattr(crossing, "PIECE_SECONDS", 0.01)
    liar.run(SLOW).or_raise()
    with pytest.raises(TransferError, match="takes more than"):
        liar.get("bytes(10_000_000)")
    with pytest.raises(TransferError, match="takes more than"):
        liar.put_file("x", bytes(10_000_000))


def test_a_dead_sandbox_says_why() -> None:
    """What was to cross a wall that has fallen is refused with the reason, and the next one works."""
    with Sandbox(memory="256m") as sandbox:
        with pytest.raises(TransferError, match="ended itself with exit status 3"):
            sandbox.get("__import__('os')._exit(3)")
        with pytest.raises(TransferError, match=r"exit status 3.*reset"):
            sandbox.put("x", 1)
        assert sandbox.run("1").outcome is Outcome.DIED
        sandbox.reset()
        sandbox.put("x", 1)
        assert sandbox.get("x") == 1


def test_an_expression_without_end(shared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expression that does not end is interrupted, and the sandbox can be used."""
    monkeypatch.setattr("sandbox_kernel.notebooks.client.ANSWER_SECONDS", 0.5)
    with pytest.raises(TransferError, match="did not answer"):
        shared.get("__import__('time').sleep(60)")
    monkeypatch.undo()
    assert shared.run("1").value == "1"
