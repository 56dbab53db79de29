"""A line speaks with libzmq, as kernels do, and holds its tongue until somebody listens."""

import random
import socket

import pytest
import zmq

from sandbox_kernel.guest.line import Line
from sandbox_kernel.guest.relay import Relay
from sandbox_kernel.guest.zmtp import SUBSCRIPTION, opening
from tests.guest.driver import eventually

DEALER = opening(b"DEALER", b"sandbox")


@pytest.fixture
def bound(directory):
    """Make sockets of a kernel's, which are closed at the end."""
    context, sockets = zmq.Context(), []

    def bind(kind, name="socket", **options):
        sock = context.socket(kind)
        sockets.append(sock)
        for option, value in options.items():
            setattr(sock, option, value)
        sock.bind(f"ipc://{directory}/{name}")
        return sock

    yield bind
    context.destroy(linger=0)


@pytest.fixture
def line(directory):
    line = Line(f"{directory}/socket", DEALER)
    yield line
    line.close()


def turn(line, happened=lambda: False):
    """Do what the guest does all the time; return whether something has happened."""
    line.connect()
    line.flush()
    line.read()
    return happened()


def heard(line, sock):
    eventually(lambda: turn(line, lambda: sock.poll(0)))
    return sock.recv_multipart(zmq.NOBLOCK)


def test_it_waits_for_who_is_not_there_yet(bound, line):
    """What is sent before there is a kernel arrives, in order, behind the identity."""
    line.connect()
    line.send((b"first",))
    line.send((b"second", b""))
    router = bound(zmq.ROUTER)
    assert heard(line, router) == [b"sandbox", b"first"]
    assert heard(line, router) == [b"sandbox", b"second", b""]
    router.send_multipart([b"sandbox", b"reply", b"", b"x" * 300_000])
    eventually(lambda: turn(line, lambda: line.inbox))
    assert line.inbox.popleft() == [b"reply", b"", b"x" * 300_000]


def test_a_subscriber_hears_everything(bound, directory):
    """Without libzmq's word for it."""
    publisher = bound(zmq.XPUB)
    line = Line(f"{directory}/socket", opening(b"SUB"), SUBSCRIPTION)
    eventually(lambda: turn(line, lambda: publisher.poll(0)))
    assert publisher.recv() == b"\x01"
    publisher.send_multipart([b"any topic", b"x"])
    eventually(lambda: turn(line, lambda: line.inbox))
    assert line.inbox.popleft() == [b"any topic", b"x"]
    line.close()


def test_pieces_and_messages_keep_their_order(bound, line):
    """Through a connection that is full again and again, with parts of all sizes."""
    router = bound(zmq.ROUTER, rcvhwm=5)
    choice = random.Random(5)
    sent, got = [], []
    for number in range(400):
        parts = [b"%d" % number, *(bytes(choice.choice([0, 0, 1, 300, 70_000])) for _ in range(6))]
        sent.append(parts)
        if number % 2:
            passage, data = line.passage(tuple(map(len, parts))), memoryview(b"".join(parts))
            while data:
                count = choice.randint(1, 80_000)
                passage.take(data[:count])
                data = data[count:]
        else:
            line.send(tuple(parts))
        if number % 3 == 0:
            turn(line)
        while number % 7 == 0 and router.poll(0):
            got.append(router.recv_multipart())
    while len(got) < len(sent):
        got.append(heard(line, router))
    assert [parts[1:] for parts in got] == sent


def test_more_parts_than_one_call_takes(bound, line):
    """Thousands of pieces at once are no end of the connection."""
    router = bound(zmq.ROUTER)
    eventually(lambda: turn(line, lambda: line.met))
    line.passage((1,) * 4096).take(memoryview(bytes(4096)))
    assert heard(line, router) == [b"sandbox", *[b"\0"] * 4096]


def test_what_was_begun_on_one_connection_is_not_for_the_next(bound, line):
    """Half a message would be taken for the beginning of another."""
    router = bound(zmq.ROUTER)
    eventually(lambda: turn(line, lambda: line.met))
    passage = line.passage((10,))
    passage.take(memoryview(b"12345"))
    router.close(linger=0)
    eventually(lambda: turn(line, lambda: line.lost))
    router = bound(zmq.ROUTER)
    passage.take(memoryview(b"67890"))
    line.send((b"whole",))
    assert heard(line, router) == [b"sandbox", b"whole"]


def test_who_does_not_speak_zmtp_is_left(line, directory):
    """A stranger in the kernel's place is a connection that has ended."""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(f"{directory}/socket")
        stranger.listen()
        line.connect()
        accepted, _ = stranger.accept()
        accepted.sendall(b"220 mail.example.org\r\n" * 10)
        eventually(lambda: turn(line, lambda: line.lost))
        assert (line.met, line.descriptor) == (False, -1)
        accepted.close()


def test_a_connection_that_ends_is_made_again(bound, directory):
    """With what was in it delivered first; a kernel may bind its side anew."""
    import select

    relay = Relay(f"{directory}/k", select.poll())
    relay.close()
    line = next(iter(relay.lines.values()))
    router = bound(zmq.ROUTER, "k-4")
    eventually(lambda: turn(line, lambda: line.met))
    assert not relay.down
    router.send_multipart([b"sandbox", b"last words"])
    router.close(linger=1000)
    eventually(lambda: not line.read() and line.ended)  # without connecting again
    assert line.inbox.popleft() == [b"last words"]
    assert relay.down
    bound(zmq.ROUTER, "k-4")
    eventually(lambda: relay.connect() or not line.ended)
    assert not relay.down
    relay.close()
