"""What waits for clients that do not read is known to the byte, or nearly."""

import contextlib
import time

import pytest
import zmq

from sandbox_kernel.host.unread import EVERY, Sender

PATIENCE = 30
MESSAGE = [b"topic", b"x" * 1000]
COUNT = 20_000


@pytest.fixture
def socket():
    """Make sockets; all are closed after the test."""
    with zmq.Context() as context, contextlib.ExitStack() as stack:
        yield lambda kind: stack.enter_context(context.socket(kind))


def subscribe(socket, address):
    socket.linger = 0
    socket.rcvhwm = 100
    socket.subscribe(b"")
    socket.connect(address)
    return socket


def until(condition):
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_it_counts_what_the_slowest_has_not_read(socket, tmp_path):
    """One who reads does not hide another who does not; one who leaves takes what waited for him along."""
    publisher = socket(zmq.XPUB)
    publisher.sndhwm = publisher.linger = 0
    publisher.xpub_verbose = True
    address = f"ipc://{tmp_path}/s"
    publisher.bind(address)
    reads, leaves = (subscribe(socket(zmq.SUB), address) for _ in range(2))
    for _ in range(2):
        assert publisher.recv() == b"\x01"
    sender = Sender(publisher)
    for _ in range(COUNT):
        sender.send(MESSAGE)
    for _ in range(COUNT):
        assert reads.poll(PATIENCE * 1000)
        assert reads.recv_multipart() == MESSAGE
    assert sender.unread() > COUNT * 1000 // 2
    leaves.close(linger=0)

    def nearly_nothing():
        publisher.poll(0)  # ZeroMQ learns here that somebody has left
        return sender.unread() <= 2 * EVERY

    until(nearly_nothing)


def test_nobody_listens(socket, tmp_path):
    """Without a subscriber nothing waits."""
    publisher = socket(zmq.XPUB)
    publisher.bind(f"ipc://{tmp_path}/s")
    sender = Sender(publisher)
    for _ in range(COUNT):
        sender.send(MESSAGE)
    until(lambda: sender.unread() <= 2 * EVERY)
