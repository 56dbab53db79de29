"""The loop between clients and a guest that does not do its part; no kernel is needed."""

import os
import threading
import time

import pytest
import zmq

from sandbox_kernel.host.commands import Commands
from sandbox_kernel.host.deadlines import Deadlines
from sandbox_kernel.host.engines.base import Pipes, Usage
from sandbox_kernel.host.front import Front
from sandbox_kernel.host.guard import Guard
from sandbox_kernel.host.jupyter import Signer, compose
from sandbox_kernel.host.tunnel import OUTBOX_LIMIT, Tunnel
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Outbox, Ready, encode

PATIENCE = 60


class Guest(Pipes):
    """The other ends of a sandbox's streams, in the test's own hands."""

    stderr = -1
    pid = 0

    def __init__(self):
        self.hears, self.stdin = os.pipe2(os.O_CLOEXEC)
        self.stdout, self.says = os.pipe2(os.O_CLOEXEC)
        for descriptor in (self.stdin, self.stdout):
            os.set_blocking(descriptor, False)
        self.settled = threading.Event()

    def settle(self):
        self.settled.set()

    def usage(self):
        return Usage()

    def tell(self, message):
        outbox = Outbox()
        outbox.put(Channel.SUPERVISOR, encode(message))
        while outbox:
            outbox.advance(os.writev(self.says, outbox.buffers(1 << 20)))

    def close(self):
        for descriptor in (self.hears, self.stdin, self.stdout, self.says):
            os.close(descriptor)


@pytest.fixture
def tunnel():
    """A tunnel that serves in a thread, its guest, and a client's shell socket."""
    front, guest, commands = Front.create(), Guest(), Commands()
    context = zmq.Context()
    sockets = front.bind(context)
    policy = Policy()
    guard = Guard(policy, outer=front.key)
    tunnel = Tunnel(
        guest, sockets, guard, Deadlines(policy), commands, max_message=1 << 20, log=lambda _: None
    )
    thread = threading.Thread(target=tunnel.serve, kwargs={"start_by": time.monotonic() + PATIENCE})
    thread.start()
    shell = context.socket(zmq.DEALER)
    shell.linger = 0
    shell.connect(front.address(Channel.SHELL))
    yield tunnel, guest, commands, shell, Signer(front.key)

    def end():
        tunnel.ended = True

    commands.put(end)
    thread.join()
    context.destroy(linger=0)
    commands.close()
    guest.close()
    front.close()


def test_a_guest_that_does_not_read_fills_nothing(tunnel, no_leftovers):
    """No more than some of a client's requests are taken in to wait for it; the loop itself goes on."""
    tunnel, guest, commands, shell, signer = tunnel
    guest.tell(Ready())
    request = signer.parts(compose("comm_msg", {"comm_id": "c", "data": {"x": "y" * (1 << 20)}}))
    for _ in range(30):
        shell.send_multipart(request)
    waiting = 0
    for _ in range(200):  # the loop still does what it is told, also once it takes no more
        answered = threading.Event()
        commands.put(answered.set)
        assert answered.wait(PATIENCE)
        waiting = max(waiting, tunnel._outbox.pending())
        if waiting >= OUTBOX_LIMIT:
            break
        time.sleep(0.05)
    assert OUTBOX_LIMIT <= waiting < OUTBOX_LIMIT + (2 << 20)


def test_a_sandbox_hears_that_its_kernel_is_ready_before_others_do(tunnel, no_leftovers):
    """From then on its user's code may run, under limits that are those of a kernel that runs."""
    tunnel, guest, *_ = tunnel
    heard, before = threading.Event(), []

    def ready():
        before.append(guest.settled.is_set())
        heard.set()

    tunnel.on_ready = ready
    guest.tell(Ready())
    assert heard.wait(PATIENCE)
    assert before == [True]
