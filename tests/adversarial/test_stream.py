"""Promise: whatever a guest that was taken over sends up its stream ends that sandbox, with a cause.

Behind every wall the stream is the same, so this is tried on it alone: the guest is a thread that
writes what it likes. Each attack is real: a reader that believes what the format says, and one that
takes supervision as it comes, are misled, made to wait or to hold what was never sent.
"""

import contextlib
import io
import json
import os
import struct
import threading
from dataclasses import dataclass, field

import pytest

from sandbox_kernel import __version__
from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.base import Pipes, Usage
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import (
    EXCLUSIVE_BYTES,
    WIRE_VERSION,
    Channel,
    Hello,
    KernelExit,
    Ready,
    Start,
    encode,
)
from tests.conformance.kernel import PATIENCE, Kernel
from tests.wire.streams import MORE, NOTICE, chunk, notice, opening, single

S, P, SUPERVISOR = Channel.SHELL, Channel.IOPUB, Channel.SUPERVISOR
ROOM = 1 << 28
"""Bytes that nobody has for one message."""

start_of_seven = chunk(P, MORE, opening(7) + b"abc")
FRAMES = {
    "a channel that there is not": single(6, b"x"),
    "flags that there are not": chunk(S, 4, opening(1) + b"x"),
    "a message that is a notice": chunk(S, MORE | NOTICE, opening(1) + b"x"),
    "a chunk without end": chunk(S, 0, b"", 0xFFFFFFFF),
    "a chunk without an opening": chunk(S, 0, b"abc"),
    "a message without parts": chunk(S, 0, opening()),
    "an opening longer than its chunk": chunk(S, 0, opening(1, count=3) + b"x"),
    "two million parts": chunk(S, MORE, opening(count=2_000_000)),
    "a part longer than there is memory": chunk(S, MORE, opening(1 << 62) + b"x"),
    "lengths whose sum is beyond all numbers": chunk(S, 0, opening(2**64 - 1, 2**64 - 1)),
    "a body that is too short": chunk(S, 0, opening(5) + b"abc"),
    "a body that is too long": chunk(S, 0, opening(5) + b"abcdef"),
    "more to come, of nothing": chunk(S, MORE, opening(3) + b"abc"),
    "a continuation that is too long": start_of_seven + chunk(P, 0, b"defgh"),
    "a continuation that is too short": start_of_seven + chunk(P, 0, b"def"),
    "a continuation that goes on": start_of_seven + chunk(P, MORE, b"defg"),
    "an empty continuation": start_of_seven + chunk(P, MORE, b""),
    "a notice inside a message": start_of_seven + notice(P, 1, 1),
    "a notice that is too long": chunk(P, NOTICE, b"x" * 13),
    "two large messages, interleaved": chunk(P, MORE, opening(EXCLUSIVE_BYTES + 1) + b"x")
    + chunk(S, MORE, opening(EXCLUSIVE_BYTES + 1) + b"x"),
    "the end inside a header": b"\x03\x00",
    "the end inside a message": single(S, b"hello")[:-1],
    "the same bytes again, from the middle": single(S, b"hello")[3:] + single(S, b"hello"),
}


def word(**fields) -> bytes:
    """Return a message of the supervisor, as JSON has it."""
    return single(SUPERVISOR, json.dumps(fields).encode())


WORDS = {
    "no JSON": single(SUPERVISOR, b"\xff\xfe"),
    "JSON that is no object": single(SUPERVISOR, b"[1]"),
    "JSON deeper than any stack": single(SUPERVISOR, b"[" * 50_000),
    "a number that is none": single(SUPERVISOR, b'{"kind": "signal", "signum": NaN}'),
    "an unknown kind": word(kind="grant", path="/"),
    "a kind that is no name": word(kind=["start"]),
    "two parts": single(SUPERVISOR, b"{}", b"{}"),
    "no field": word(kind="kernel_exit"),
    "a field more": word(kind="ready", trusted=True),
    "an exit status that is a text": word(kind="kernel_exit", returncode="0", max_rss=0, cpu_seconds=0),
    "a second start": single(SUPERVISOR, *encode(Ready())),
    "a second end": 2 * single(SUPERVISOR, *encode(KernelExit(0, 0, 0.0))),
    "an order to the host": single(SUPERVISOR, json.dumps({"kind": "signal", "signum": 9}).encode()),
    "a start of the host's": single(
        SUPERVISOR, *encode(Start(WIRE_VERSION, ("sh",), {}, "/", "/tmp", "", 10, None))
    ),
    "a second hello": single(SUPERVISOR, *encode(Hello(WIRE_VERSION, "0.0.0-other", "3", {}))),
}

HELLO = single(SUPERVISOR, *encode(Hello(WIRE_VERSION, __version__, "3.11", {})))
READY = single(SUPERVISOR, *encode(Ready()))
END = single(SUPERVISOR, *encode(KernelExit(0, 0, 0.0)))


def believe(data: bytes) -> str:
    """Read as the format says, and believe it all; return what came of it."""
    stream, open_ones, taken = io.BytesIO(data), {}, []
    try:
        while header := stream.read(6):
            number, flags, length = struct.unpack("<BBI", header)
            body = stream.read(length)
            if len(body) < length:
                return f"waits for {length - len(body)} bytes"
            channel = Channel(number)
            if channel not in open_ones:
                count = struct.unpack_from("<I", body)[0]
                lengths = struct.unpack_from(f"<{count}Q", body, 4)
                if sum(lengths) > (ROOM if flags != MORE else EXCLUSIVE_BYTES):
                    return f"holds room for {sum(lengths)} bytes"
                open_ones[channel] = (lengths, bytearray(body[4 + 8 * count :]))
            else:
                open_ones[channel][1].extend(body)
            if flags != MORE:
                taken.append((flags, *open_ones.pop(channel)))
    except (struct.error, ValueError, MemoryError) as error:
        return f"falls over {error!r}"
    if open_ones:
        return f"waits for the rest of {len(open_ones)} messages, and holds them"
    wrong = [one for one in taken if one[0] or sum(one[1]) != len(one[2]) or not one[1]]
    return "takes what was never sent" if wrong else ""


@dataclass
class Hostile:
    """An engine whose guest says what it was told to say."""

    words: bytes
    more: bytes
    """What it says after the host has taken the first ones."""
    closes: bool
    go_on: threading.Event = field(default_factory=threading.Event)
    name = "memory"

    def check(self, policy):
        return []

    def sweep(self):
        return []

    def start(self, policy, launch):
        return HostileProcess(self, launch)


class HostileProcess(Pipes):
    """Two pipes and a thread."""

    def __init__(self, guest, launch):
        self._theirs, self.stdin = os.pipe2(os.O_CLOEXEC)
        self.stdout, self._out = os.pipe2(os.O_CLOEXEC)
        for descriptor in (self.stdin, self.stdout):
            os.set_blocking(descriptor, False)
        self.stderr, self.pid = -1, 0
        self.start_message = Start(WIRE_VERSION, launch.argv, {}, "/", "/tmp", "", 10, None)
        self._guest, self._over = guest, threading.Event()
        self._thread = threading.Thread(target=self._say)
        self._thread.start()

    def _say(self):
        with open(self._out, "wb") as out, contextlib.suppress(BrokenPipeError):
            out.write(self._guest.words)
            out.flush()
            self._guest.go_on.wait()
            out.write(self._guest.more)
            out.flush()
            if not self._guest.closes:
                self._over.wait()

    def poll(self):
        return None if self._thread.is_alive() else 0

    def usage(self):
        return Usage()

    def kill(self):
        self._guest.go_on.set()
        self._over.set()

    def close(self):
        if self.stdin >= 0:
            self.kill()
            os.close(self.stdout)
            self._thread.join()
            os.close(self._theirs)
            os.close(self.stdin)
            self.stdin = -1


@pytest.fixture
def listen(directory, no_leftovers):
    """Have a sandbox listen to a hostile guest: first to some words, then to others."""
    with contextlib.ExitStack() as stack:

        def listen(words: bytes, more: bytes | None = None, *, closes: bool = True, **policy) -> Kernel:
            guest = Hostile(words, more or b"", closes)
            kernel = Kernel(guest, Policy(**policy), directory, wait=False)
            stack.callback(kernel.close)
            if more is not None:
                kernel.started.result(timeout=PATIENCE)
                guest.go_on.set()
            return kernel

        yield listen


@pytest.mark.parametrize("name", FRAMES)
def test_a_reader_that_believes_is_misled(name):
    """The frames are attacks: on a reader without checks they work."""
    assert believe(FRAMES[name])


def test_an_honest_stream_misleads_nobody():
    """It is not the reader that is broken: of what our own side sends it takes every message."""
    assert believe(HELLO + READY + single(P, b"abc", b"") + END) == ""


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_ends_the_sandbox_with_a_cause(listen, name):
    """The sandbox is ended for it, says why, and nothing else goes wrong."""
    kernel = listen(HELLO + READY, FRAMES[name] + b"\xff" * 10)
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert death.kind == "protocol", death


@pytest.mark.parametrize("name", WORDS)
def test_a_word_of_the_supervisor_is_believed_by_who_reads_json(name):
    """These are attacks as well: as JSON most of them are fine, and the others raise what nobody expects."""
    body = WORDS[name][6 + 4 + 8 :]
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return
    assert told is not None


@pytest.mark.parametrize("name", WORDS)
def test_a_word_of_the_supervisor_ends_the_sandbox_with_a_cause(listen, name):
    """What the guest's supervisor would never say ends the sandbox."""
    kernel = listen(HELLO + READY, WORDS[name])
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert death.kind == "protocol", death


SLOW = {
    "nothing": b"",
    "a greeting": HELLO,
    "a part of a header": HELLO[:5],
    "all but a byte": HELLO + READY[:-1],
}


@pytest.mark.parametrize("name", SLOW)
def test_who_says_too_little_too_slowly_is_not_waited_for(listen, name):
    """A guest that stalls in the middle of a frame (a slow loris) ends at the deadline of its start."""
    kernel = listen(SLOW[name], closes=False, start_timeout=1)
    with pytest.raises(StartError, match="start_timeout"):
        kernel.started.result(timeout=PATIENCE)


def test_who_stalls_later_is_ended_when_somebody_asks(listen):
    """A guest that stalls after it was ready keeps nobody waiting who wants it gone."""
    kernel = listen(HELLO + READY, start_of_seven[:-1], closes=False)
    kernel.sandbox.kill()
    assert kernel.sandbox.ended.result(timeout=PATIENCE).kind == "shutdown"
