"""A Docker daemon that is somewhere else: another network, other files, reached by TLS over TCP alone.

It runs in a network namespace of its own, at the far end of a virtual cable, and in a mount
namespace in which the directories that notebooks lie in are empty. Nothing is shared but the
connection.
"""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.daemons.services import STATE, UP_WITHIN, MissingError, Service, dockerd, need

NAMESPACE = "sandbox-kernel-test"
NEAR, FAR, PORT = "10.213.77.1", "10.213.77.2", 2376
HIDDEN = ("/tmp", "/var/tmp", "/home", "/root", "/work", "/check", "/srv", "/mnt")


@dataclass(frozen=True)
class Elsewhere:
    """How clients reach it."""

    host: str
    certificates: Path
    service: Service

    @property
    def env(self) -> dict[str, str]:
        """The variables that Docker's own client needs."""
        return {
            "DOCKER_HOST": self.host,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(self.certificates),
        }


@contextmanager
def elsewhere(directory: Path) -> Iterator[Elsewhere]:
    """Start it; its certificates are made in `directory`.

    :raises MissingError: it cannot run here.
    """
    need("ip", "openssl", "nsenter", "unshare")
    service = dockerd("elsewhere", f"tcp://{FAR}:{PORT}")
    certify(directory)
    service.command = _wrapped(service.command, directory)
    with cable():
        service.start()
        try:
            await_port(directory)
            yield Elsewhere(f"tcp://{FAR}:{PORT}", directory, service)
        finally:
            service.stop()


def _wrapped(command: list[str | Path], certificates: Path) -> list[str | Path]:
    """Return the command that runs the daemon over there, with copies of its own certificates."""
    kept = STATE / "elsewhere-tls"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(certificates, kept)
    tls = [
        "--tlsverify",
        f"--tlscacert={kept}/ca.pem",
        f"--tlscert={kept}/server.pem",
        f"--tlskey={kept}/server-key.pem",
    ]
    hide = "; ".join(f"[ ! -d {path} ] || mount -t tmpfs none {path}" for path in HIDDEN)
    return [
        *("nsenter", f"--net=/run/netns/{NAMESPACE}", "unshare", "--mount", "--propagation", "private"),
        *("sh", "-c", f'{hide}; exec "$@"', "sh", *command, *tls),
    ]


@contextmanager
def cable() -> Iterator[None]:
    """Lay a virtual cable into a new network namespace; take both away again."""
    _ip("netns", "del", NAMESPACE, check=False)  # of a session that was killed
    _ip("netns", "add", NAMESPACE)
    try:
        _ip("link", "add", "skt-near", "type", "veth", "peer", "name", "skt-far", "netns", NAMESPACE)
        _ip("addr", "add", f"{NEAR}/30", "dev", "skt-near")
        _ip("link", "set", "skt-near", "up")
        _ip("-n", NAMESPACE, "addr", "add", f"{FAR}/30", "dev", "skt-far")
        _ip("-n", NAMESPACE, "link", "set", "skt-far", "up")
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        yield
    finally:
        _ip("netns", "del", NAMESPACE)


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise MissingError(f"`ip {' '.join(arguments)}` fails: {done.stderr.strip()}")


def certify(directory: Path) -> None:
    """Make a certificate authority, and what both ends prove themselves with."""
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    authority = ("-CA", "ca.pem", "-CAkey", "ca-key.pem")
    for name, key, extra in (
        ("ca.pem", "ca-key.pem", ()),
        ("server.pem", "server-key.pem", (*authority, "-addext", f"subjectAltName=IP:{FAR}")),
        ("cert.pem", "key.pem", authority),
    ):
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE") if extra else ()
        subprocess.run(
            [*new, "-subj", f"/CN={name}", "-days", "2", "-out", name, "-keyout", key, *extra, *leaf],
            cwd=directory,
            capture_output=True,
            check=True,
        )


def await_port(certificates: Path) -> None:
    """Return when the daemon answers over TLS."""
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline:
        with (
            suppress(OSError),
            socket.create_connection((FAR, PORT), 5) as plain,
            context.wrap_socket(plain, server_hostname=FAR) as connection,
        ):
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n")
            if b" 200 " in connection.recv(100):
                return
        time.sleep(0.05)
    raise MissingError("the daemon elsewhere does not answer")


def hidden_from(path: Path) -> bool:
    """Whether a path of this machine is not to be seen by the daemon elsewhere."""
    return any(path.is_relative_to(place) for place in HIDDEN) and not os.path.ismount(path)
