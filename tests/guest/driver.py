"""The host's end of a guest: spawns it as an ordinary process and speaks to it through the wire."""

import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.session import Session

import sandbox_kernel.guest
from sandbox_kernel.wire import (
    WIRE_VERSION,
    Channel,
    Decoder,
    KernelExit,
    Log,
    Message,
    Outbox,
    Oversized,
    Ready,
    Start,
    Supervision,
    decode,
    encode,
)

GUEST = (sys.executable, "-I", str(Path(sandbox_kernel.guest.__file__).with_name("__main__.py")))
KERNEL = (
    sys.executable,
    *("-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"),
    "--HistoryManager.hist_file=:memory:",
)
AS_PID_1 = (
    *("bwrap", "--unshare-user", "--unshare-pid", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL"),
    *("--dev-bind", "/", "/", "--proc", "/proc"),
)
PATIENCE = 30.0  # seconds; on a busy machine a kernel's start alone may take several

Heard = Message | Oversized | Supervision


class GuestEndedError(Exception):
    """The guest closed its stream; the argument is its exit status."""


class Host:
    """One guest, and what it has said that no test has looked at yet."""

    def __init__(self, process: "subprocess.Popen[bytes]", directory: Path) -> None:
        self.process = process
        self.directory = directory
        self.outbox = Outbox()
        self.received = 0
        self.session = Session(key=b"inner key")
        self._decoder = Decoder(max_message=1 << 30)
        self._inbox: deque[Heard] = deque()
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._in, False)

    def start(self, *argv: str, **changes: Any) -> None:
        """Order a kernel: by default a real one."""
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        home = str(self.directory)
        values = {
            "version": WIRE_VERSION,
            "argv": argv or KERNEL,
            "env": {"PATH": path, "HOME": home, "IPYTHONDIR": home},
            "cwd": home,
            "runtime_dir": home,
            "key": "inner key",
            "files": 1024,
            "pids": None,
        }
        self.tell(Start(**{**values, **changes}))

    def tell(self, message: Supervision) -> None:
        self.put(Channel.SUPERVISOR, encode(message))

    def put(self, channel: Channel, parts: Any) -> None:
        self.outbox.put(channel, parts)
        self.pump(0)

    def write(self, data: bytes) -> None:
        """Write what need not be a message."""
        os.write(self._in, data)

    def hang_up(self) -> None:
        self.process.stdin.close()

    def pump(self, seconds: float) -> None:
        """Move bytes both ways, once."""
        writable = [self._in] if self.outbox else []
        readable, writable, _ = select.select([self._out], writable, [], seconds)
        if writable:
            try:
                self.outbox.advance(os.writev(self._in, self.outbox.buffers(1 << 18)))
            except BlockingIOError:
                pass
            except BrokenPipeError:  # it has ended; what it said before is still to be read
                self.outbox = Outbox()
        if readable:
            data = os.read(self._out, 1 << 20)
            if not data:
                raise GuestEndedError(self.process.wait(PATIENCE))
            self.received += len(data)
            for event in self._decoder.receive(data):
                supervision = isinstance(event, Message) and event.channel is Channel.SUPERVISOR
                self._inbox.append(decode(event.parts) if supervision else event)

    def hear(self, patience: float = PATIENCE) -> Heard:
        """Return the next thing the guest says."""
        deadline = time.monotonic() + patience
        while not self._inbox:
            if time.monotonic() > deadline:
                raise TimeoutError("the guest is silent")
            self.pump(0.5)
        return self._inbox.popleft()

    def until(self, wanted: type | Callable[[Heard], bool]) -> Any:
        """Skip to the first thing of this type, or for which this is true."""
        while True:
            heard = self.hear()
            if isinstance(heard, wanted) if isinstance(wanted, type) else wanted(heard):
                return heard

    def end(self) -> int:
        """Skip to the end of the stream; return the guest's exit status."""
        try:
            while True:
                self.hear()
        except GuestEndedError as ended:
            return ended.args[0]

    def log_until_exit(self) -> tuple[str, KernelExit]:
        text = ""
        while not isinstance(heard := self.hear(), KernelExit):
            text += heard.text if isinstance(heard, Log) else ""
        return text, heard

    def ask(
        self,
        msg_type: str,
        content: dict[str, Any],
        *,
        channel: Channel = Channel.SHELL,
        ident: bytes = b"client",
        buffers: tuple[bytes, ...] = (),
    ) -> str:
        """Send a request as a client would; return its id."""
        request = self.session.msg(msg_type, content)
        self.put(channel, [ident, *self.session.serialize(request), *buffers])
        return request["header"]["msg_id"]

    def execute(self, code: str, *, ident: bytes = b"client", allow_stdin: bool = False) -> str:
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": allow_stdin}
        return self.ask("execute_request", content, ident=ident)

    def parse(self, message: Message) -> tuple[list[bytes], dict[str, Any]]:
        """Return the routing identities, and the message that the inner key signed."""
        idents, parts = self.session.feed_identities(list(message.parts))
        return idents, self.session.deserialize(parts)

    def conversation(self, request: str) -> Iterator[tuple[Channel, list[bytes], dict[str, Any]]]:
        """Yield what belongs to a request, up to its reply and the kernel's return to idleness."""
        replied = idle = False
        while not (replied and idle):
            heard = self.hear()
            if not isinstance(heard, Message):
                continue
            idents, message = self.parse(heard)
            if message["parent_header"].get("msg_id") == request:
                yield heard.channel, idents, message
                replied |= message["msg_type"].endswith("_reply")
                idle |= message["content"].get("execution_state") == "idle"

    def until_idle(self, request: str) -> None:
        """Skip to the word that the kernel is idle after a request, whether it was answered or not."""
        self.until(lambda heard: self.is_idle(heard, request))

    def is_idle(self, heard: Heard, request: str) -> bool:
        """Say whether this is the word that the kernel is idle after a request."""
        if not isinstance(heard, Message) or heard.channel is not Channel.IOPUB:
            return False
        _, message = self.parse(heard)
        idle = message["content"].get("execution_state") == "idle"
        return idle and message["parent_header"].get("msg_id") == request

    def reply(self, request: str) -> dict[str, Any]:
        """Return the content of the reply to a request."""
        return self.answer(request)[0]

    def answer(self, request: str) -> tuple[dict[str, Any], str]:
        """Return the content of the reply, and what was printed for it."""
        content, printed = {}, ""
        for _, _, message in self.conversation(request):
            if message["msg_type"].endswith("_reply"):
                content = message["content"]
            elif message["msg_type"] == "stream":
                printed += message["content"]["text"]
        return content, printed

    def run(self, code: str) -> str:
        """Run code that must succeed; return what it printed."""
        content, printed = self.answer(self.execute(code))
        assert content["status"] == "ok", content
        return printed

    def print_of(self, code: str) -> tuple[str, str]:
        """Start code that prints something and goes on; return its request and what it printed."""
        request = self.execute(code)
        for _, _, message in self.conversation(request):
            if message["msg_type"] == "stream":
                return request, message["content"]["text"]
        raise AssertionError("it ended without printing")


@contextmanager
def guest(directory: Path, *prefix: str, ready: bool = True, **changes: Any) -> Iterator[Host]:
    """A guest of its own; by default with a kernel that is ready."""
    process = subprocess.Popen(
        [*prefix, *GUEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=directory
    )
    host = Host(process, directory)
    try:
        if ready:
            host.start(**changes)
            host.until(Ready)
        yield host
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


def eventually(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for what nothing announces; return the first true value of `condition`."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        threading.Event().wait(0.01)
    return value
