"""Where the clients connect: five sockets and a key, the same for the life of a kernel id.

Clients keep their old addresses over a restart, so directory and key belong to the kernel
id, not to a launch; the sockets are bound anew by each launch, because jupyter_client
unlinks them in between. The directory is private (0700) and short: a unix socket's path
holds 107 bytes.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.janitor import JANITOR
from sandbox_kernel.host.owner import mark
from sandbox_kernel.host.runtime import is_private, runtime_bases
from sandbox_kernel.wire import Channel

_PORTS = {Channel.SHELL: 1, Channel.IOPUB: 2, Channel.STDIN: 3, Channel.CONTROL: 4, Channel.HEARTBEAT: 5}
_FIELDS = {
    Channel.SHELL: "shell_port",
    Channel.IOPUB: "iopub_port",
    Channel.STDIN: "stdin_port",
    Channel.CONTROL: "control_port",
    Channel.HEARTBEAT: "hb_port",
}


def _make_directory(name: str) -> Path:
    bases = runtime_bases()
    for base in bases:
        with contextlib.suppress(OSError):
            path = _make_below(base, name)
            if path is not None:
                return path
    tried = " or ".join(map(str, bases))
    raise StartError(
        f"No private directory for sockets can be made at {tried}: each belongs to somebody else, is open to "
        "others, or cannot be written. Set XDG_RUNTIME_DIR to a directory of yours with mode 0700."
    )


def _make_below(base: Path, name: str) -> Path | None:
    """Return a new directory, None if the base is not ours alone.

    :raises OSError: it cannot be made.
    """
    for _ in range(10):  # another process may be removing the empty base meanwhile
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(base):
            return None
        with contextlib.suppress(FileNotFoundError):
            path = base / name
            JANITOR.note(name, path)
            path.mkdir(mode=0o700)
            mark(path)
            return path
    return None


class Front:
    """Addresses and key of one kernel id, and the directory that holds the sockets."""

    def __init__(self, info: Mapping[str, Any], directory: Path | None) -> None:
        self.directory = directory
        self._maker = os.getpid()
        self._info = dict(info)

    @classmethod
    def create(cls) -> "Front":
        """Make a new directory and key.

        :raises StartError: the directory cannot be made private.
        """
        directory = _make_directory(secrets.token_hex(4))
        ports = {_FIELDS[channel]: port for channel, port in _PORTS.items()}
        key = secrets.token_hex(32).encode()
        info = {"transport": "ipc", "ip": str(directory / "k"), "signature_scheme": "hmac-sha256", **ports}
        return cls({**info, "key": key}, directory)

    @classmethod
    def from_connection_file(cls, path: Path) -> "Front":
        """Serve at the addresses and with the key that a connection file names.

        :raises StartError: the file cannot be read, or lacks what is needed.
        """
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            chosen = {name: info[name] for name in ("transport", "ip", *_FIELDS.values())}
            key = info["key"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StartError(f"The connection file {path} cannot be used: {error!r}.") from error
        if info.get("signature_scheme", "hmac-sha256") != "hmac-sha256":
            raise StartError(
                f"The connection file {path} asks for another signature scheme than hmac-sha256."
            )
        if not isinstance(key, str) or not key:
            raise StartError(f"The connection file {path} has no key: anybody here could use the kernel.")
        for port in (chosen[name] for name in _FIELDS.values()):
            if not isinstance(port, int) or not 0 < port < 1 << 16:  # libzmq would take it modulo 65536
                raise StartError(f"The connection file {path} names a port that there is not: {port!r}.")
        if info.get("curve_publickey"):
            raise StartError(f"The connection file {path} asks for CurveZMQ, which is not served.")
        runtime = _make_directory(secrets.token_hex(4))
        return cls({**chosen, "key": key.encode(), "signature_scheme": "hmac-sha256"}, runtime)

    @property
    def key(self) -> bytes:
        """The outer key."""
        return bytes(self._info["key"])

    def connection_info(self) -> dict[str, Any]:
        """Return a new dictionary as jupyter_client wants it (the key as bytes)."""
        return dict(self._info)

    def address(self, channel: Channel) -> str:
        """Return the ZeroMQ address of a channel."""
        port = self._info[_FIELDS[channel]]
        separator = "-" if self._info["transport"] == "ipc" else ":"
        return f"{self._info['transport']}://{self._info['ip']}{separator}{port}"

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "dict[Channel, zmq.Socket[bytes]]":
        """Return the bound sockets of a new launch.

        :raises StartError: an address is taken.
        """
        sockets: dict[Channel, zmq.Socket[bytes]] = {}
        try:
            for channel in _PORTS:
                sockets[channel] = self._bind_one(context, channel)
        except zmq.ZMQError as error:
            for socket in sockets.values():
                socket.close(linger=0)
            raise StartError(
                f"The kernel's address {self.address(channel)} cannot be used: {error}."
            ) from error
        return sockets

    def _bind_one(self, context: "zmq.Context[zmq.Socket[bytes]]", channel: Channel) -> "zmq.Socket[bytes]":
        iopub = channel is Channel.IOPUB
        socket = context.socket(zmq.XPUB if iopub else zmq.ROUTER)
        # Unbounded towards clients: the budget bounds what a kernel may put in, and ZeroMQ
        # would drop silently at its own mark.
        socket.sndhwm = 0
        if iopub:
            socket.setsockopt(zmq.XPUB_MANUAL, 1)  # the tunnel subscribes each client, to greet it first
        else:
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a client that reconnects keeps its identity
        if self._info["transport"] == "ipc":
            Path(self.address(channel).removeprefix("ipc://")).unlink(missing_ok=True)
        try:
            socket.bind(self.address(channel))
        except zmq.ZMQError:
            socket.close(linger=0)
            raise
        return socket

    def close(self) -> None:
        """Remove the directory and, if it is now empty, the one above it. Idempotent.

        In a forked child it does nothing: the directory is the parent's.
        """
        if self.directory is not None and self._maker == os.getpid():
            shutil.rmtree(self.directory, ignore_errors=True)
            with contextlib.suppress(OSError):  # not empty: others use it
                self.directory.parent.rmdir()
            JANITOR.forget(self.directory.name)
