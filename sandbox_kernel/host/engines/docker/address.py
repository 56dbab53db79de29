"""Where a daemon is reached, found as the docker and podman programs find it. Nothing is connected to.

Docker: DOCKER_HOST, else the context that DOCKER_CONTEXT or ~/.docker/config.json names, else the
usual socket. Podman: CONTAINER_HOST, else DOCKER_HOST, else the user's own socket, else the system's.
This module imports no client: to choose another engine must not cost loading one.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from sandbox_kernel.errors import EngineUnavailableError

DOCKER_SOCKET: Final = "/var/run/docker.sock"
PODMAN_SOCKET: Final = "/run/podman/podman.sock"
SCHEMES: Final = ("unix", "tcp", "http", "https", "ssh")


class Certificates(Struct, frozen=True):
    """Files with which both ends of a connection prove who they are."""

    directory: Path
    verify: bool = True
    """Whether the daemon must prove that it is who it says."""

    def path(self, name: str) -> str | None:
        """Return the file of that name, None if there is none."""
        path = self.directory / name
        return str(path) if path.exists() else None


class Address(Struct, frozen=True):
    """Where a daemon is."""

    engine: str
    """ "docker" or "podman"."""
    url: str
    source: str
    """What said so: "DOCKER_HOST", "the docker context work", "the usual place"."""
    certificates: Certificates | None = None

    def __str__(self) -> str:
        return f"{self.url} ({self.source})"

    @property
    def socket(self) -> str | None:
        """The path of its socket, if that is a file of this machine."""
        return urlsplit(self.url).path if self.url.startswith("unix:") else None


def find_address(engine: str, environ: Mapping[str, str]) -> Address:
    """Return where the daemon of an engine ("docker" or "podman") is to be.

    :raises EngineUnavailableError: a variable or a context names a place that means nothing.
    """
    for variable in ("CONTAINER_HOST", "DOCKER_HOST") if engine == "podman" else ("DOCKER_HOST",):
        if named := environ.get(variable):
            return _checked(Address(engine, named, variable, _certificates(environ)))
    if engine == "podman":
        return Address(engine, f"unix://{_podman_socket(environ)}", "the usual place")
    name = environ.get("DOCKER_CONTEXT") or _settings(environ).get("currentContext")
    if name and name != "default":
        return _checked(_context(engine, str(name), environ))
    return Address(engine, f"unix://{DOCKER_SOCKET}", "the usual place", _certificates(environ))


def at_hand(address: Address) -> bool:
    """Say whether a daemon may be there: a socket that exists, or a place that somebody named."""
    if address.socket is None:
        return True
    try:
        return stat.S_ISSOCK(Path(address.socket).stat().st_mode) and os.access(address.socket, os.W_OK)
    except OSError:
        return False


def _podman_socket(environ: Mapping[str, str]) -> str:
    own = environ.get("XDG_RUNTIME_DIR", "")
    path = f"{own}/podman/podman.sock"
    return path if own.startswith("/") and Path(path).exists() else PODMAN_SOCKET


def _certificates(environ: Mapping[str, str]) -> Certificates | None:
    verify, directory = environ.get("DOCKER_TLS_VERIFY", ""), environ.get("DOCKER_CERT_PATH", "")
    if not verify and not (directory and environ.get("DOCKER_TLS")):
        return None
    return Certificates(Path(directory or _home(environ)), verify=bool(verify))


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/"), ".docker"))


def _settings(environ: Mapping[str, str]) -> dict[str, Any]:
    return _read(_home(environ) / "config.json") or {}


def _read(path: Path) -> dict[str, Any] | None:
    """Return what a file of Docker's says; None if there is no such file.

    :raises EngineUnavailableError: it cannot be understood.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise EngineUnavailableError(f"{path} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise EngineUnavailableError(f"{path} holds no settings of Docker's.")
    return document


def _context(engine: str, name: str, environ: Mapping[str, str]) -> Address:
    """Return the address in a context of the docker program, which files it under a digest of its name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    contexts = _home(environ) / "contexts"
    document = _read(contexts / "meta" / key / "meta.json")
    endpoint = ((document or {}).get("Endpoints") or {}).get("docker") or {}
    if not endpoint.get("Host"):
        raise EngineUnavailableError(f"There is no docker context {name!r}; `docker context ls` lists them.")
    directory = contexts / "tls" / key / "docker"
    verify = not endpoint.get("SkipTLSVerify", False)
    certificates = Certificates(directory, verify=verify) if directory.is_dir() else None
    return Address(engine, str(endpoint["Host"]), f"the docker context {name}", certificates)


def _checked(address: Address) -> Address:
    scheme, _, rest = address.url.partition("://")
    if scheme not in SCHEMES or not rest:
        raise EngineUnavailableError(
            f"{address.source} says that the daemon is at {address.url!r}; write for example "
            f"unix://{DOCKER_SOCKET}, ssh://user@host, or tcp://host:2376."
        )
    return address
