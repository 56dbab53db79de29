import hashlib
import json
import os
import socket

import pytest

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.docker.address import DOCKER_SOCKET, PODMAN_SOCKET, at_hand, find_address


@pytest.fixture
def home(tmp_path):
    """A home with the settings of a docker program that knows two contexts."""
    docker = tmp_path / ".docker"
    for name, host, tls in (("work", "tcp://work:2376", True), ("lab", "ssh://me@lab", False)):
        key = hashlib.sha256(name.encode()).hexdigest()
        meta = docker / "contexts/meta" / key
        meta.mkdir(parents=True)
        endpoint = {"Host": host, "SkipTLSVerify": False}
        (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
        if tls:
            files = docker / "contexts/tls" / key / "docker"
            files.mkdir(parents=True)
            (files / "ca.pem").touch()
    (docker / "config.json").write_text(json.dumps({"currentContext": "work"}))
    return tmp_path


def test_the_usual_places(tmp_path):
    """With nothing said, it is where packages put it."""
    environ = {"HOME": str(tmp_path)}
    assert find_address("docker", environ).url == f"unix://{DOCKER_SOCKET}"
    assert find_address("podman", environ).url == f"unix://{PODMAN_SOCKET}"


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_docker_host_comes_first(home, engine):
    """DOCKER_HOST beats every context, for both."""
    environ = {"HOME": str(home), "DOCKER_HOST": "tcp://here:1", "DOCKER_CONTEXT": "lab"}
    address = find_address(engine, environ)
    assert (address.engine, address.url, address.source) == (engine, "tcp://here:1", "DOCKER_HOST")
    assert address.socket is None


def test_contexts(home):
    """The named context beats the current one, and brings its certificates."""
    current = find_address("docker", {"HOME": str(home)})
    assert (current.url, "work" in current.source) == ("tcp://work:2376", True)
    assert current.certificates.verify
    assert current.certificates.path("ca.pem").endswith("/docker/ca.pem")
    assert current.certificates.path("key.pem") is None
    named = find_address("docker", {"HOME": str(home), "DOCKER_CONTEXT": "lab"})
    assert (named.url, named.certificates) == ("ssh://me@lab", None)
    moved = find_address("docker", {"HOME": "/nowhere", "DOCKER_CONFIG": str(home / ".docker")})
    assert moved.url == "tcp://work:2376"
    plain = find_address("docker", {"HOME": str(home), "DOCKER_CONTEXT": "default"})
    assert plain.url == f"unix://{DOCKER_SOCKET}"


def test_podman_has_no_contexts_of_dockers(home):
    """Docker's context says nothing about Podman; its own user's socket comes before the system's."""
    environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    assert find_address("podman", environ).url == f"unix://{PODMAN_SOCKET}"
    (home / "podman").mkdir()
    (home / "podman/podman.sock").touch()
    assert find_address("podman", environ).url == f"unix://{home}/podman/podman.sock"


def test_certificates_of_the_environment(tmp_path):
    """The variables of the docker program ask for TLS."""
    environ = {"DOCKER_HOST": "tcp://x:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert find_address("docker", environ).certificates.directory == tmp_path
    del environ["DOCKER_TLS_VERIFY"]
    assert find_address("docker", environ).certificates is None


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DOCKER_HOST": "localhost:2375"}, "DOCKER_HOST says"),
        ({"DOCKER_HOST": "npipe:////./pipe/docker"}, "write for example"),
        ({"DOCKER_HOST": "unix://"}, "write for example"),
        ({"DOCKER_CONTEXT": "gone"}, "no docker context 'gone'"),
    ],
)
def test_what_means_nothing_is_refused(home, environ, words):
    """A misspelt place is not taken for the usual one."""
    with pytest.raises(EngineUnavailableError, match=words):
        find_address("docker", {"HOME": str(home), **environ})


@pytest.mark.parametrize("content", ["{", "[]", "\udc80"])
def test_broken_settings_are_named(home, content):
    """A file that cannot be understood is an error with its path, not a silent default."""
    (home / ".docker/config.json").write_text(content, errors="surrogateescape")
    with pytest.raises(EngineUnavailableError, match=r"config\.json"):
        find_address("docker", {"HOME": str(home)})


def test_at_hand(tmp_path):
    """A socket that is there, or a place that somebody named; a plain file is no daemon."""
    path = tmp_path / "d.sock"
    environ = {"DOCKER_HOST": f"unix://{path}"}
    assert not at_hand(find_address("docker", environ))
    path.touch()
    assert not at_hand(find_address("docker", environ))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        assert at_hand(find_address("docker", environ))
        if os.geteuid() != 0:
            path.chmod(0)
            assert not at_hand(find_address("docker", environ))
    assert at_hand(find_address("docker", {"DOCKER_HOST": "ssh://somewhere"}))


def test_podman_has_a_variable_of_its_own(home):
    """CONTAINER_HOST is podman's word, so that both can be used from one shell."""
    environ = {"HOME": str(home), "DOCKER_HOST": "tcp://docker:1", "CONTAINER_HOST": "tcp://podman:1"}
    assert find_address("podman", environ).url == "tcp://podman:1"
    assert find_address("docker", environ).url == "tcp://docker:1"
