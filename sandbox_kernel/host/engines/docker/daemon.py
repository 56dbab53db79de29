"""The few things that are asked of a daemon, and its refusals in our words.

The only module that imports the client library. Every call here waits for the daemon: none may
be made on a server's event loop.
"""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import docker  # type: ignore[import-untyped]
import docker.errors  # type: ignore[import-untyped]
import docker.tls  # type: ignore[import-untyped]
import docker.transport  # type: ignore[import-untyped]
import docker.transport.unixconn  # type: ignore[import-untyped]
import requests.exceptions
import urllib3.exceptions
from msgspec import Struct

from sandbox_kernel.errors import DaemonGoneError, EngineUnavailableError
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import Facts, Image, read_facts, read_image
from sandbox_kernel.host.engines.docker.line import Line, SocketLine, TlsLine
from sandbox_kernel.host.engines.docker.ssh import Dialer

TIMEOUT: Final = 60
"""Seconds that a daemon may take to answer: as long as a kernel may take to start."""

NOT_FOUND, CONFLICT = 404, 409

ADVICE: Final = {
    "docker": "Is it running, and may this user talk to it? `docker info` shows what it says.",
    "podman": "`systemctl --user start podman.socket` starts its service; CONTAINER_HOST names another.",
}
"""What to do where a daemon does not answer."""

_STREAMS: Final = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}


class RefusedError(EngineUnavailableError):
    """The daemon answered that it will not."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Created(Struct, frozen=True):
    """A container that waits to be started."""

    id: str
    warnings: tuple[str, ...]
    """What the daemon would silently not enforce."""


class Daemon:
    """A connection to one daemon; for one thread at a time."""

    def __init__(self, address: Address, timeout: float = TIMEOUT) -> None:
        """Connect.

        :raises DaemonGoneError: nothing answers there.
        """
        self.address = address
        self._facts: Facts | None = None
        self._dialer = Dialer(address.url, address.engine) if address.url.startswith("ssh:") else None
        try:
            with self.translating("say what it is"):
                _knock(address)
                self.client: Any = _Client(address, self._dialer, timeout)
        except BaseException:
            if self._dialer is not None:
                self._dialer.close()
            raise

    def __repr__(self) -> str:
        return f"<Daemon {self.address}>"

    def close(self) -> None:
        """Close all connections; attached lines and events must have been closed before."""
        self.client.close()
        if self._dialer is not None:
            self._dialer.close()

    def rest(self) -> None:
        """Close idle connections for now; lines and events stay open, and the next request makes another."""
        self.client.close()
        if self._dialer is not None:
            self._dialer.bury()

    def facts(self) -> Facts:
        """Return what the daemon is, as it said when this connection was made."""
        if self._facts is None:
            with self.translating("say what it is"):
                self._facts = read_facts(self.address, self.client.version(), self.client.info())
            if self.address.engine == "podman" and not self._facts.podman:
                raise EngineUnavailableError(
                    f"At {self.address} is {self._facts.product}, not Podman; name Podman's socket with "
                    "CONTAINER_HOST, or choose the engine docker."
                )
        return self._facts

    def image(self, name: str) -> Image | None:
        """Return an image that is there; nothing is ever pulled."""
        # Podman files what was built here below localhost/, and takes a name without one for Docker Hub's.
        for known in (name, f"localhost/{name}") if self.facts().podman else (name,):
            if (found := self.inspect_image(known)) is not None:
                return read_image(name, found)
        return None

    def inspect_image(self, name: str) -> Mapping[str, Any] | None:
        """Return all that the daemon tells of an image of exactly that name, None if it is not there."""
        with (
            self.translating(f"look at the image {name}"),
            contextlib.suppress(docker.errors.ImageNotFound),
        ):
            try:
                found: Mapping[str, Any] = self.client.inspect_image(name)
            except docker.errors.APIError as error:
                if not error.is_server_error() or "image not known" not in str(error):
                    raise
                # Podman looks twice, and somebody has changed its images in between.
                found = self.client.inspect_image(name)
            return found
        return None

    def create(self, name: str, settings: Mapping[str, Any]) -> Created:
        """Make a container from the body of a create request."""
        with self.translating("make a container"):
            answer = self.client.create_container_from_config(dict(settings), name)
        return Created(str(answer["Id"]), tuple(answer.get("Warnings") or ()))

    def attach(self, container: str) -> Line:
        """Connect to a container's standard streams; before it is started, or its first words are lost."""
        with self.translating("connect to the container"):
            raw = self.client.attach_socket(container, params=_STREAMS)
            return _line(raw)

    def start(self, container: str) -> None:
        """Start a container."""
        with self.translating("start the container"):
            self.client.start(container)

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """Return all about a container, None if there is no such one."""
        with self.translating("look at the container"):
            try:
                found: Mapping[str, Any] = self.client.inspect_container(container)
            except docker.errors.NotFound:
                return None
        return found

    def remove(self, container: str) -> None:
        """Kill a container and have it removed, with its volumes; nothing happens if there is none.

        It may still be there: some daemons answer first, and one whose removal has begun may yet fail.
        """
        with self.translating("remove the container"):
            try:
                self.client.remove_container(container, force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code not in {NOT_FOUND, CONFLICT}:  # conflict: somebody else is doing it
                    raise

    def containers(self, label: str) -> list[Mapping[str, Any]]:
        """Return the containers that have a label, running or not."""
        with self.translating("list its containers"):
            found: list[Mapping[str, Any]] = self.client.containers(all=True, filters={"label": label})
        return found

    def events(self, label: str) -> "Events":
        """Listen to what happens to the containers that have a label, from now on."""
        with self.translating("tell what happens"):
            filters = {"type": "container", "label": label}
            return Events(self.client.events(filters=filters, decode=True))

    @contextlib.contextmanager
    def translating(self, what: str) -> Iterator[None]:
        """Turn the library's errors into ours; `what` completes "Docker would not …".

        :raises RefusedError: the daemon answered, with a refusal.
        :raises DaemonGoneError: it did not answer.
        """
        name = self.address.engine.capitalize()
        try:
            yield
        except docker.errors.APIError as error:
            reason = str(error.explanation or error).strip().rstrip(".")
            raise RefusedError(f"{name} would not {what}: {reason}.", error.status_code or 0) from error
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise DaemonGoneError(self._not_there(name, error)) from error
        except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:
            raise DaemonGoneError(self._not_there(name, error)) from error

    def _not_there(self, name: str, error: Exception) -> str:
        why = (self._dialer.last_words() if self._dialer is not None else "") or _innermost(error)
        return f"{name} does not answer at {self.address}: {why.rstrip('.')}. {ADVICE[self.address.engine]}"


class Events:
    """What a daemon tells, one event after the other; ends when it does, or is closed by another thread."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        try:
            yield from self._stream
        except (OSError, ValueError, AttributeError, requests.exceptions.RequestException):
            return  # cut in the middle, by the daemon's end or by `close`
        except urllib3.exceptions.HTTPError:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Wake up whoever listens. Any thread; idempotent."""
        with contextlib.suppress(OSError, AttributeError):  # it has ended by itself
            self._stream.close()


def _knock(address: Address) -> None:
    """Fail as the library would if nobody listens, but without a socket that it forgets to close."""
    if address.socket is not None:
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(address.socket)


class _Client(docker.APIClient):  # type: ignore[misc]
    """The library's client, which believes the daemon's own certificates, and leaves ssh to us."""

    def __init__(self, address: Address, dial: Callable[[], socket.socket] | None, timeout: float) -> None:
        self._dial = dial
        self._version_told: Mapping[str, Any] | None = None
        # What the library does about ssh needs another library, and leaves processes behind.
        url = address.url if dial is None else "unix:///ssh"
        super().__init__(base_url=url, version="auto", timeout=timeout, tls=_tls(address))

    def version(self, api_version: bool = True) -> Mapping[str, Any]:
        """Return what the daemon says of itself; the library has asked, to find out how to talk to it."""
        if self._version_told is None:
            self._version_told = super().version(api_version)
        return self._version_told

    def mount(self, prefix: Any, adapter: Any) -> None:
        """Connect as we do, where the library would open the socket whose name it was told."""
        if self._dial is not None and isinstance(adapter, docker.transport.UnixHTTPAdapter):
            adapter = _Dialing(self._dial, adapter.timeout)
        super().mount(prefix, adapter)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Keep REQUESTS_CA_BUNDLE, which is about other servers, from replacing them."""
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


class _Dialing(docker.transport.UnixHTTPAdapter):  # type: ignore[misc]
    """Speaks over connections that are made by calling something."""

    def __init__(self, dial: Callable[[], socket.socket], timeout: float) -> None:
        self._dial = dial
        super().__init__("http+unix:///ssh", timeout)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """Return the one pool of connections, whatever is asked for: each costs half a second."""
        del url, proxies
        with self.pools.lock:
            pool = self.pools.get("ssh")
            if pool is None:
                pool = self.pools["ssh"] = _Pool(self._dial, self.timeout)
            return pool


class _Pool(docker.transport.unixconn.UnixHTTPConnectionPool):  # type: ignore[misc]
    def __init__(self, dial: Callable[[], socket.socket], timeout: float) -> None:
        self._dial = dial
        super().__init__("http+unix:///ssh", "ssh", timeout)

    def _new_conn(self) -> Any:
        return _Connection(self._dial, self.timeout)


class _Connection(docker.transport.unixconn.UnixHTTPConnection):  # type: ignore[misc]
    def __init__(self, dial: Callable[[], socket.socket], timeout: Any) -> None:
        self._dial = dial
        super().__init__("http+unix:///ssh", "ssh", timeout)

    def connect(self) -> None:
        self.sock = self._dial()
        self.sock.settimeout(self.timeout)


def _tls(address: Address) -> Any:
    certificates = address.certificates
    if certificates is None or address.socket is not None or address.url.startswith("ssh:"):
        return False
    cert, key = certificates.path("cert.pem"), certificates.path("key.pem")
    return docker.tls.TLSConfig(
        client_cert=(cert, key) if cert and key else None,
        ca_cert=certificates.path("ca.pem"),
        verify=certificates.verify,
    )


def _line(raw: Any) -> Line:
    """Take the connection out of the library's hands.

    Nothing was read too much: before a container is started there is nothing to read.
    """
    connected = getattr(raw, "_sock", raw)
    if isinstance(connected, ssl.SSLSocket):
        return TlsLine(connected)
    if isinstance(connected, socket.socket):
        return SocketLine(connected)
    raise EngineUnavailableError(
        f"This version of the docker library ({docker.__version__}) attaches through a {type(connected)}, "
        f"which sandbox-kernel does not know; install docker 7."
    )


def _innermost(error: BaseException) -> str:
    """Return what was at the bottom of a chain of wrapped errors: "No such file or directory".

    Where that is about the answer's form, something answers, and it is no daemon of this kind.
    """
    seen: set[int] = set()
    here: BaseException = error
    while id(here) not in seen:
        seen.add(id(here))
        context = None if here.__suppress_context__ else here.__context__
        nested = [here.__cause__, context, getattr(here, "reason", None), *here.args]
        here = next((each for each in nested if isinstance(each, BaseException)), here)
    if isinstance(here, json.JSONDecodeError | LookupError | TypeError):
        return "what answers there is something else"
    return str(getattr(here, "strerror", None) or here).strip().rstrip(".")
