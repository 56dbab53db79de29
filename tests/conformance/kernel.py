"""A sandboxed kernel and its client, as the conformance suite uses them."""

import contextlib
import os
import queue
import secrets
import sys
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.sandbox import Front, Sandbox

KERNEL_ARGV = (
    sys.executable,
    "-m",
    "ipykernel_launcher",
    "-f",
    "{connection_file}",
    "--HistoryManager.hist_file=:memory:",
)
WARM = bool(os.environ.get("WARM"))
"""Whether kernels are taken over warm, as from a pool: the suites must see no difference."""
PATIENCE = 60  # seconds; three container engines at a time take some of them


def warm(policy, launch, engine, **_):
    """Return a sandbox that has no owner yet, and is ready for one."""
    sandbox = Sandbox(policy, launch, engine, None)
    sandbox.start().result(timeout=PATIENCE * 2)
    return sandbox


@dataclass
class Ran:
    """What came of a cell."""

    reply: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)

    def text(self, stream: str = "stdout") -> str:
        return "".join(m["content"]["text"] for m in self.of("stream") if m["content"]["name"] == stream)

    def of(self, msg_type: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["msg_type"] == msg_type]

    @property
    def status(self) -> str:
        return self.reply["content"]["status"]


class Kernel:
    """A launch with one client on it."""

    def __init__(
        self,
        engine,
        policy,
        directory,
        *,
        argv=KERNEL_ARGV,
        front=None,
        wait=True,
        env=None,
        fork=True,
        **options,
    ):
        self.front = front or Front.create()
        self._own_front = front is None
        launch = Launch(argv, directory, secrets.token_hex(8), env or {}, fork)
        self.log: list[str] = []
        self.clients: list[BlockingKernelClient] = []
        if WARM and wait and not options.get("secrets"):
            self.sandbox = warm(policy, launch, engine, **options)
            self.started = self.sandbox.adopt(self.front, log=self.log.append, **options)
        else:
            self.sandbox = Sandbox(policy, launch, engine, self.front, log=self.log.append, **options)
            self.started = self.sandbox.start()
        if wait:
            try:
                self.started.result(timeout=PATIENCE * 2)
                self.client = self.connect()
            except BaseException:
                self.close()
                raise

    def connect(self) -> BlockingKernelClient:
        client = BlockingKernelClient()
        client.load_connection_info(self.front.connection_info())
        client.start_channels()
        self.clients.append(client)
        client.wait_for_ready(timeout=PATIENCE)
        return client

    def run(self, code: str, *, client=None, timeout: float = PATIENCE, **options: Any) -> Ran:
        """Execute and collect all until both reply and idle have come."""
        client = client or self.client
        return self.collect(client.execute(code, **options), client=client, timeout=timeout)

    def collect(self, msg_id: str, *, client=None, timeout: float = PATIENCE, until_idle: bool = True) -> Ran:
        client = client or self.client
        reply = next_of(client.get_shell_msg, msg_id, timeout)
        ran = Ran(reply)
        while until_idle:
            message = next_of(client.get_iopub_msg, msg_id, timeout)
            ran.messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        return ran

    def value(self, expression: str) -> str:
        """Return the repr of an expression."""
        ran = self.run(f"print({expression})")
        assert ran.status == "ok", ran.reply["content"]
        return ran.text().strip()

    def request(self, channel: str, msg_type: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send any request and return its reply."""
        message = self.client.session.msg(msg_type, content or {})
        getattr(self.client, f"{channel}_channel").send(message)
        return next_of(getattr(self.client, f"get_{channel}_msg"), message["header"]["msg_id"], PATIENCE)

    def drain(self) -> None:
        for get in (self.client.get_shell_msg, self.client.get_iopub_msg, self.client.get_control_msg):
            with contextlib.suppress(queue.Empty):
                while True:
                    get(timeout=0)

    def close(self) -> None:
        for client in self.clients:
            client.stop_channels()
        self.sandbox.close()
        if self._own_front:
            self.front.close()


def next_of(get, msg_id: str, timeout: float) -> dict[str, Any]:
    """Return the next message that answers this one."""
    while True:
        message = get(timeout=timeout)
        if message["parent_header"].get("msg_id") == msg_id:
            return message
