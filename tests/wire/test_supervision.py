import json

import pytest

from sandbox_kernel.wire import (
    EXCLUSIVE_BYTES,
    MAX_LOG_CHARACTERS,
    MAX_SUPERVISION_BYTES,
    Hello,
    KernelExit,
    LocalProtocolError,
    Log,
    Ready,
    RemoteProtocolError,
    Signal,
    Start,
    decode,
    encode,
)

START = Start(
    1, ("python", "-f", "{connection_file}"), {"A": "b", "E": ""}, "/home", "/run/k", "key", 1024, 100
)
MESSAGES = [
    START,
    START._replace(pids=None, env={}, cwd="/bad\udcff"),
    START._replace(secrets={"TOKEN": "value\n\udcff"}),
    Signal(2),
    Hello(1, "0.1.0", "3.11.7", {"files": 1024, "memory": "max", "as": -1}),
    Ready(),
    Log("Tra\u00e7eback \U0001f600\n"),
    Log(""),
    KernelExit(-9, 2**40, 1.5),
    KernelExit(0, 0, 0.0),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_survive_the_way(message):
    """What is decoded equals what was encoded, type and all."""
    assert decode(encode(message)) == message


def test_messages_cannot_be_changed():
    """They are values."""
    with pytest.raises(AttributeError):
        START.key = "other"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_is_true(message):
    """`if message:` asks whether there is one, also of one without fields."""
    assert message


def variant(message, **changes):
    content = json.loads(encode(message)[0])
    content.update(changes)
    return (json.dumps(content).encode(),)


UNFIT = {
    "a float for a version": variant(START, version=1.5),
    "true for a version": variant(START, version=True),
    "a negative version": variant(START, version=-1),
    "no arguments": variant(START, argv=[]),
    "one string of arguments": variant(START, argv="python"),
    "a number among the arguments": variant(START, argv=["python", 1]),
    "a NUL in an argument": variant(START, argv=["pyt\0hon"]),
    "an argument that execve does not take": variant(START, argv=["x" * (128 * 1024 + 1)]),
    "too many arguments": variant(START, argv=["x"] * 4097),
    "a list as environment": variant(START, env=["A=b"]),
    "a number in the environment": variant(START, env={"A": 1}),
    "a variable without a name": variant(START, env={"": "x"}),
    "a variable with = in its name": variant(START, env={"A=B": "x"}),
    "no files at all": variant(START, files=0),
    "a secret with a path for a name": variant(START, secrets={"../x": "y"}),
    "a secret with a dot for a name": variant(START, secrets={".": "y"}),
    "a number for a secret": variant(START, secrets={"X": 1}),
    "half a process": variant(START, pids=0.5),
    "signal 0": variant(Signal(2), signum=0),
    "signal 65": variant(Signal(2), signum=65),
    "a log that is no text": variant(Log("x"), text=["x"]),
    "a log with half a character": (b'{"kind": "log", "text": "\\ud800"}',),
    "a log too long": variant(Log("x"), text="x" * (MAX_LOG_CHARACTERS + 1)),
    "a status that no process has": variant(KernelExit(0, 0, 0.0), returncode=256),
    "a negative time": variant(KernelExit(0, 0, 0.0), cpu_seconds=-0.1),
    "an infinite time": (b'{"kind": "kernel_exit", "returncode": 0, "max_rss": 0, "cpu_seconds": Infinity}',),
    "no time at all": (b'{"kind": "kernel_exit", "returncode": 0, "max_rss": 0, "cpu_seconds": NaN}',),
    "memory beyond all bounds": variant(KernelExit(0, 0, 0.0), max_rss=2**63),
    "too many limits": variant(Hello(1, "0", "3", {}), limits={str(index): 1 for index in range(33)}),
    "a limit of a list": variant(Hello(1, "0", "3", {}), limits={"a": []}),
    "an unknown field": variant(Ready(), more=1),
    "a missing field": (b'{"kind": "signal"}',),
    "an unknown kind": (b'{"kind": "reboot"}',),
    "a kind that is no text": (b'{"kind": ["signal"], "signum": 2}',),
    "no kind": (b'{"signum": 2}',),
    "a list": (b"[]",),
    "a number": (b"1",),
    "nothing": (b"",),
    "no JSON": (b"{",),
    "not UTF-8": (b'{"kind": "log", "text": "\xff"}',),
    "deep nesting": (b"[" * 100_000,),
    "a number with too many digits": (b'{"kind": "signal", "signum": ' + b"9" * 100_000 + b"}",),
    "two parts": (b'{"kind": "ready"}', b""),
    "no parts": (),
    "too long": (b'{"kind": "ready"' + b" " * MAX_SUPERVISION_BYTES + b"}",),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_refused(name):
    """A peer's mistake or malice never becomes a field's value, nor any other exception."""
    with pytest.raises(RemoteProtocolError):
        decode(UNFIT[name])


@pytest.mark.parametrize(
    "message",
    [Signal(0), Log("x" * (MAX_LOG_CHARACTERS + 1)), START._replace(argv=()), START._replace(env={"A": 1})],
)
def test_our_own_mistakes_are_found_before_they_are_sent(message):
    """Encoding checks what decoding would."""
    with pytest.raises(LocalProtocolError):
        encode(message)


def test_a_start_that_is_too_long_is_our_own_mistake():
    """Many variables, each of them small enough, may be too many together."""
    with pytest.raises(LocalProtocolError, match="at most"):
        encode(START._replace(env={str(index): "x" * 100_000 for index in range(11)}))


@pytest.mark.parametrize("character", ["\0", "\U0001f600", "\uffff", '"'])
def test_the_longest_log_never_waits_behind_a_long_message(character):
    """Whatever its characters cost as JSON, it stays below what goes one at a time."""
    assert len(encode(Log(character * MAX_LOG_CHARACTERS))[0]) <= EXCLUSIVE_BYTES
