"""Connections to a daemon on another machine, each through an ssh client of this one.

As the docker program does it: ssh runs `docker system dial-stdio` there, which connects its
standard streams with the daemon. Keys, agents, jumps and aliases are the ssh client's business.
One end of a socket pair is the client's input and output, so the other is a socket like any other.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from typing import IO, Final
from urllib.parse import urlsplit

from sandbox_kernel.errors import EngineUnavailableError

PATIENCE: Final = 5.0
"""Seconds that an ssh client gets to end once its input has ended."""

MOST_WORDS: Final = 4096
"""Bytes of what it complained about that an error repeats."""


def command(url: str, program: str) -> list[str]:
    """Return the command line that connects with the daemon at an ssh:// url.

    :param program: "docker" or "podman", which must be installed there.
    :raises EngineUnavailableError: the url names no host.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.password or parts.query or parts.fragment:
        raise EngineUnavailableError(
            f"{url!r} names no host for ssh; write ssh://user@host or ssh://host:port."
        )
    user = ["-l", parts.username] if parts.username else []
    at = ["-p", str(port)] if port else []
    there = [program, "--host" if program == "docker" else "--url", f"unix://{parts.path}"]
    dial = [*(there if parts.path not in {"", "/"} else there[:1]), "system", "dial-stdio"]
    return ["ssh", "-T", "-o", "ConnectTimeout=30", *user, *at, "--", host, *dial]


class Dialer:
    """Makes connections, and buries the ssh clients that carried them."""

    def __init__(self, url: str, program: str) -> None:
        """Connect with nothing yet.

        :raises EngineUnavailableError: the url names no host, or there is no ssh client here.
        """
        self._command = command(url, program)
        if shutil.which("ssh") is None:
            raise EngineUnavailableError(
                f"The daemon is at {url}, and ssh is not installed here; install it."
            )
        self._lock = threading.Lock()
        self._clients: list[subprocess.Popen[bytes]] = []
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def __call__(self) -> socket.socket:
        """Return a new connection. That nobody answers at its other end is found out by using it."""
        here, there = socket.socketpair()
        with there:
            client = subprocess.Popen(
                self._command,
                stdin=there.fileno(),
                stdout=there.fileno(),
                stderr=self._complaints,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it, and it cannot ask there
            )
        with self._lock:
            self._clients.append(client)
        return here

    def last_words(self) -> str:
        """Return what the clients have complained about last."""
        size = os.fstat(self._complaints.fileno()).st_size
        start = max(0, size - MOST_WORDS)
        return os.pread(self._complaints.fileno(), MOST_WORDS, start).decode(errors="replace").strip()

    def bury(self) -> None:
        """Forget the clients that have ended."""
        with self._lock:
            self._clients = [client for client in self._clients if client.poll() is None]

    def close(self) -> None:
        """Wait for the clients, whose connections must have been closed; idempotent."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(PATIENCE)
                continue
            client.kill()
            client.wait()
        self._complaints.close()
