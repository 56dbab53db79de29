"""Each kind of connection, with its other end in this process."""

import contextlib
import select
import socket
import ssl
import threading

import pytest

from sandbox_kernel.host.engines.docker.line import SocketLine, TlsLine
from tests.daemons.elsewhere import certify

SECOND = 10
"""Patience with a thread of our own."""


def plain():
    here, there = socket.socketpair()
    return SocketLine(here), there


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    """Both ends' idea of TLS."""
    directory = tmp_path_factory.mktemp("certificates")
    certify(directory)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(directory / "server.pem", directory / "server-key.pem")
    client = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    client.check_hostname = False
    return server, client


def encrypted(contexts):
    server, client = contexts
    here, there = socket.socketpair()
    wrapped = []
    thread = threading.Thread(target=lambda: wrapped.append(server.wrap_socket(there, server_side=True)))
    thread.start()
    line = TlsLine(client.wrap_socket(here))
    thread.join(SECOND)
    return line, wrapped[0]


@pytest.fixture(params=["plain", "tls"])
def ends(request):
    """A line and the socket at its other end."""
    if request.param == "tls":
        line, there = encrypted(request.getfixturevalue("contexts"))
    else:
        line, there = plain()
    yield line, there
    line.close()
    there.close()


def send(line, data):
    """Write all, waiting as the tunnel does; return how often it had to wait."""
    poll, waits = select.poll(), 0
    poll.register(line.stdin, select.POLLOUT)
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[line.write([rest[:100_000], rest[100_000:200_000]]) :]
        except BlockingIOError:
            waits += 1
            assert poll.poll(SECOND * 1000)
    return waits


def receive(line, count):
    """Read so many bytes, waiting only where nothing has arrived."""
    poll, got = select.poll(), b""
    poll.register(line.stdout, select.POLLIN)
    buffer = memoryview(bytearray(64 << 10))
    while len(got) < count:
        assert poll.poll(SECOND * 1000)
        try:
            size = line.read(buffer)
        except BlockingIOError:
            continue
        assert size
        got += buffer[:size]
    return got


def take(there, count):
    got = bytearray()
    while len(got) < count:
        got += there.recv(count - len(got))
    return bytes(got)


def in_thread(work):
    """Run it beside us; the result is what the returned function returns."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result():
        thread.join(SECOND)
        return results[0]

    return result


def test_two_descriptors_to_wait_on(ends):
    """Their numbers differ, or a poller would take them for one."""
    line, _ = ends
    assert line.stdin != line.stdout


def test_all_that_is_written_arrives(ends):
    """Eight megabytes against a slow reader: whole, in order, and without waiting in `write`."""
    line, there = ends
    data = bytes(range(251)) * 32_000
    taken = in_thread(lambda: take(there, len(data)))
    send(line, data)
    assert taken() == data


def test_a_reader_that_sleeps_holds_nothing_up(ends):
    """Where nothing more is taken, that is said at once; later it goes on where it was."""
    line, there = ends
    data = bytes(range(249)) * 40_000
    rest = memoryview(data)
    with pytest.raises(BlockingIOError):
        while True:
            rest = rest[line.write([rest[:300_000]]) :]
    taken = in_thread(lambda: take(there, len(data)))
    send(line, rest)
    assert taken() == data


def test_single_bytes(ends):
    """The smallest writes there are."""
    line, there = ends
    for byte in b"abc":
        send(line, bytes([byte]))
    assert take(there, 3) == b"abc"


def test_all_that_arrives_is_read(ends):
    """A poll wakes up for everything: nothing stays behind unnoticed."""
    line, there = ends
    data = bytes(range(253)) * 32_000
    sent = in_thread(lambda: there.sendall(data))
    assert receive(line, len(data)) == data
    sent()


def test_nothing_to_read_is_said(ends):
    """Instead of waiting."""
    line, _ = ends
    with pytest.raises(BlockingIOError):
        line.read(memoryview(bytearray(100_000)))


@pytest.mark.parametrize("by", ["there", "cut", "cut in another thread"])
def test_an_end_wakes_up_who_waits(ends, by):
    """Whoever polls sees it, and `read` says that it is the end."""
    line, there = ends
    if by == "there":
        there.close()
    elif by == "cut":
        line.cut()
    else:
        in_thread(line.cut)()
    poll = select.poll()
    poll.register(line.stdout, select.POLLIN)
    assert poll.poll(SECOND * 1000)
    assert line.read(memoryview(bytearray(100_000))) == 0


def test_cut_is_the_end_at_the_other_side(ends):
    """That is what ends the guest."""
    line, there = ends
    line.cut()
    line.cut()
    there.settimeout(SECOND)
    with contextlib.suppress(ssl.SSLEOFError):
        assert there.recv(1) == b""


def test_close_gives_everything_back(ends):
    """Twice is as good as once, and cutting what is closed does nothing."""
    line, _ = ends
    line.close()
    line.close()
    line.cut()
