"""How much a service takes from a kernel that talks faster than the host listens."""

import os
import subprocess

import pytest
import zmq

from sandbox_kernel.guest.kernel import Kernel
from sandbox_kernel.guest.life import Lodger
from sandbox_kernel.guest.service import BACKLOG_BYTES, Service
from sandbox_kernel.guest.tunnel import Tunnel
from sandbox_kernel.wire import Channel, Decoder
from tests.guest.driver import eventually

MEGABYTE = 1_000_000


class Scene:
    """A service whose kernel's sockets, and whose host's end, the test holds."""

    def __init__(self, directory):
        self.context = zmq.Context()
        self.sockets = {}
        for port, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), start=1):
            self.sockets[name] = self.context.socket(zmq.XPUB if name == "iopub" else zmq.ROUTER)
            self.sockets[name].setsockopt(zmq.SNDHWM, 0)
            self.sockets[name].bind(f"ipc://{directory}/k-{port}")
        theirs_in, self.to_guest = os.pipe()
        self.from_guest, theirs_out = os.pipe()
        os.set_blocking(self.from_guest, False)
        self.process = subprocess.Popen(["sleep", "100"], start_new_session=True)
        log, self.log = os.pipe()
        self.life = Lodger()
        self.kernel = Kernel(self.process, log)
        self.life.watch(self.kernel)
        self.tunnel = Tunnel(theirs_in, theirs_out)
        self.service = Service(self.tunnel, self.life, self.kernel, f"{directory}/k")
        eventually(lambda: self.service._turn(1) or self.sockets["iopub"].poll(0))  # its subscription

    def read(self, decoder):
        try:
            return decoder.receive(os.read(self.from_guest, 1 << 20))
        except BlockingIOError:
            return []

    def close(self):
        self.life.kill_all()
        self.service.close()
        self.life.close()
        self.tunnel.close()
        self.context.destroy(linger=0)
        for descriptor in (self.to_guest, self.from_guest, self.log):
            os.close(descriptor)


@pytest.fixture
def scene(directory):
    scene = Scene(directory)
    yield scene
    scene.close()


def test_the_outbox_is_bounded_and_control_passes_nevertheless(scene):
    """With a stalled host, output waits before the outbox; control is still taken; then all of it arrives."""
    for _ in range(30):
        scene.sockets["iopub"].send_multipart([b"topic", b"x" * MEGABYTE])
    outbox = scene.tunnel.outbox
    waiting = scene.service._relay.lines[Channel.IOPUB].inbox
    eventually(lambda: scene.service._turn(1) or outbox.pending() >= BACKLOG_BYTES)
    scene.sockets["control"].send_multipart([b"sandbox", b"reply"])

    def turn():
        scene.service._turn(1)
        assert outbox.pending() <= BACKLOG_BYTES + MEGABYTE + 100_000
        return outbox.pending(Channel.CONTROL) and len(waiting) > 15

    eventually(turn)
    decoder, events = Decoder(max_message=1 << 30), []
    while len(events) < 31:
        scene.service._turn(1)
        events += [event for event in scene.read(decoder) if event.channel is not Channel.SUPERVISOR]
    channels = [event.channel for event in events]
    assert channels.index(Channel.CONTROL) <= 1
    assert channels.count(Channel.IOPUB) == 30
