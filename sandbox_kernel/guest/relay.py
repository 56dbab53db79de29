"""The guest's sockets to the kernel: five channels, as a proxy would hold them.

Messages pass with their routing identities, unread. The shell and stdin sockets share one
identity, or the kernel's question for input() would find no one.

Nothing is lost on the way: sockets towards the kernel have no high-water mark, and where the
subscriber's is reached, a publisher with our `profile` waits (another one drops).

Monitors tell when the kernel has accepted a connection and when a connection has ended with
all that was in it delivered to us; so the end of a kernel needs no guessed waiting time.

Since version 7, ipykernel greets each subscription with `iopub_welcome`. The one for ours is
swallowed: the host makes its own for each client.
"""

from __future__ import annotations

import struct

import zmq

from sandbox_kernel.wire import Channel

_PORTS = {  # the most urgent first, which is the order in which they are looked at
    Channel.CONTROL: 4,
    Channel.HEARTBEAT: 5,
    Channel.SHELL: 1,
    Channel.STDIN: 3,
    Channel.IOPUB: 2,
}

_WATCHED = (Channel.SHELL, Channel.CONTROL, Channel.IOPUB, Channel.STDIN)
_NEEDED = {Channel.SHELL, Channel.CONTROL, Channel.IOPUB}

MAX_WAITING = 64
"""Published messages that wait here for the host. Beyond, the kernel's publisher waits (see `profile`)."""

_RETRY_MS = 5
"""How long after a refused connection the next attempt follows. The kernel binds its sockets
a few hundred milliseconds after its start; what it says first should not be missed."""

_EVENT = struct.Struct("=HI")
_CONNECTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
_DISCONNECTED = zmq.EVENT_DISCONNECTED

_DELIMITER = b"<IDS|MSG>"


class Relay:
    """Sockets connected to a kernel that may not have bound its side yet."""

    def __init__(self, prefix: str) -> None:
        """Connect to the sockets whose paths are `prefix`, a dash and the port's number."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.sockets = {channel: self._socket(channel) for channel in _PORTS}
        self.monitors = {channel: self._monitor(channel) for channel in _WATCHED}
        for channel, socket in self.sockets.items():
            socket.connect(f"ipc://{prefix}-{_PORTS[channel]}")
        self._connected: set[Channel] = set()
        self._disconnected: set[Channel] = set()

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in sorted(self._connected - self._disconnected))
        return f"<Relay connected to {names or 'nothing'}>"

    @property
    def up(self) -> bool:
        """Whether the kernel has accepted us on all channels that a client cannot do without."""
        return self._connected >= _NEEDED

    @property
    def down(self) -> bool:
        """Whether every connection there was has ended, with all it carried delivered to us."""
        return self._disconnected >= self._connected

    def send(self, channel: Channel, parts: tuple[bytes, ...]) -> None:
        """Pass a message on to the kernel, or keep it until the kernel has bound its side."""
        self.sockets[channel].send_multipart(parts)

    def receive(self, channel: Channel) -> list[bytes] | None:
        """Return the next message from the kernel, or None if there is none now."""
        socket = self.sockets[channel]
        while True:
            try:
                parts = socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return None
            if channel is not Channel.IOPUB or not _is_welcome(parts):
                return parts

    def watch(self) -> None:
        """Take note of connections made and ended since the last time."""
        for channel, monitor in self.monitors.items():
            while monitor.poll(0):
                event = _EVENT.unpack(monitor.recv_multipart()[0])[0]
                if event == _CONNECTED:
                    self._connected.add(channel)
                elif event == _DISCONNECTED:
                    self._disconnected.add(channel)

    def close(self) -> None:
        """Close all sockets; what they still hold is lost."""
        self._context.destroy(linger=0)

    def _socket(self, channel: Channel) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.SUB if channel is Channel.IOPUB else zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, MAX_WAITING if channel is Channel.IOPUB else 0)
        socket.setsockopt(zmq.RECONNECT_IVL, _RETRY_MS)
        if channel is Channel.IOPUB:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        else:
            socket.setsockopt(zmq.IDENTITY, b"sandbox")
        return socket

    def _monitor(self, channel: Channel) -> zmq.Socket[bytes]:
        return self.sockets[channel].get_monitor_socket(_CONNECTED | _DISCONNECTED)


def _is_welcome(parts: list[bytes]) -> bool:
    # Our subscription names no topic, so its greeting has none: most messages are passed at a glance.
    return len(parts) > 2 and parts[0] == _DELIMITER and b'"iopub_welcome"' in parts[2]
