"""A kernel and its client, and the time until its first reply.

Also a program, `python -m sandbox_kernel.bench.kernel SUBJECT`, for the cold start: a Python process
that does nothing but start its first kernel. So this module imports what any client must, and no more.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from secrets import token_hex
from time import monotonic
from typing import Any, Final

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from traitlets.config import Config

from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

PATIENCE: Final = 60.0
"""Seconds for any one answer: a hundred times what the slowest engine takes on a quiet machine."""

RECONNECT_MILLISECONDS: Final = 10
"""How soon a client tries again to reach a kernel that still starts. The usual 100 ms would be lent to
plain kernels, whose sockets are there late, and make the ratio look better than it is."""

Message = dict[str, Any]


class Kernel:
    """One kernel with one client."""

    def __init__(self, subject: Subject) -> None:
        self.manager = KernelManager(kernel_name=subject.kernel, config=Config(subject.settings()))
        self.manager.transport = subject.transport
        if subject.transport == "ipc":  # else its sockets are put where the kernel starts
            self.manager.ip = str(Path.cwd().parent / f"ipc-{token_hex(4)}")
        self._client: BlockingKernelClient | None = None

    @property
    def client(self) -> BlockingKernelClient:
        """The client, once it has started."""
        if self._client is None:
            raise UnmeasuredError("the kernel was not started")  # our own bug
        return self._client

    def start(self) -> None:
        """Start it, and return when it has answered a first request."""
        self.manager.start_kernel()
        client = self.manager.client()
        client.context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS)
        client.allow_stdin = False
        client.start_channels(hb=False)
        self._client = client
        self.answer(client.execute("pass", silent=True))

    def answer(self, msg_id: str) -> Message:
        """Return the reply to a request on the shell channel.

        :raises UnmeasuredError: it says that something went wrong, or none came.
        """
        reply = answer_to(self.client.get_shell_msg, msg_id)
        if reply["content"].get("status") != "ok":
            content = reply["content"]
            raise UnmeasuredError(f"the kernel answered with {content.get('ename')}: {content.get('evalue')}")
        return reply

    def run(self, code: str, heard: Callable[[Message], None] = lambda _: None) -> Message:
        """Run a cell; return its reply once it has said all that it has to say."""
        client = self.client
        msg_id = client.execute(code)
        while True:
            message = answer_to(client.get_iopub_msg, msg_id)
            heard(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return self.answer(msg_id)

    def close(self) -> None:
        """End it, without asking it first. Idempotent."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)


def answer_to(get: Callable[..., Message], msg_id: str) -> Message:
    """Return the next message that answers this request.

    :raises UnmeasuredError: none came.
    """
    until = monotonic() + PATIENCE
    with suppress(Empty):
        while (left := until - monotonic()) > 0:
            message = get(timeout=left)
            if message["parent_header"].get("msg_id") == msg_id:
                return message
    raise UnmeasuredError(f"the kernel did not answer within {PATIENCE:g} s")


def main() -> None:
    """Start a kernel, say so, and end it when nobody listens any more."""
    kernel = Kernel(Subject.from_json(sys.argv[1]))
    try:
        kernel.start()
        sys.stdout.write("answered\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        kernel.close()


if __name__ == "__main__":
    main()
