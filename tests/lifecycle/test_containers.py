"""Whatever is killed, and whenever: no container, no volume, no process stays, and who waits is told why."""

import gc
import random
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.docker import leftovers
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import PATIENCE, Kernel
from tests.daemons import images
from tests.daemons.plugin import container_host, or_skip
from tests.daemons.services import dockerd
from tests.lifecycle.test_kill9 import ROUNDS, end, start

GONE_WITHIN = 30.0
"""Seconds after the end of a host in which its containers go: one or two, but for a busy machine."""


@contextmanager
def client_of(host):
    client = docker.APIClient(host)
    try:
        yield client
    finally:
        client.close()


def containers_of(client, hosts):
    """Return the containers of these host processes, running or not."""
    owners = {str(host.pid) for host in hosts}
    found = client.containers(all=True, filters={"label": leftovers.OWNER})
    return [one["Id"] for one in found if one["Labels"][leftovers.OWNER].split(":")[0] in owners]


def there(client):
    """Return all containers that a daemon has, with their states.

    A Docker 20.10 that was killed may list one more, `dead` and without a name, until it is started
    again: it removed the container while it noted that it had found it. It has it no longer, nothing of
    it is on the disk, and whoever asks for it, or orders it away, is told that there is none.
    """
    states = {}
    for listed in client.containers(all=True):
        try:
            states[listed["Id"]] = client.inspect_container(listed["Id"])["State"]
        except docker.errors.NotFound:
            continue
    return states


def volumes(client):
    return {volume["Name"] for volume in client.volumes()["Volumes"] or ()}


def settle(client, hosts):
    """Return what is still there of these hosts when it should be gone."""
    deadline = time.monotonic() + GONE_WITHIN
    while (left := containers_of(client, hosts)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", ["docker", "gvisor", "podman"])
def test_hosts_that_are_killed_leave_no_container(request, directory, no_leftovers, engine):
    """From the first instruction of the start to long after it: whenever kill -9 comes, nothing stays."""
    host = container_host(request, engine)
    dice = random.Random(20261120)
    env = {"DOCKER_HOST": host, "SANDBOX_KERNEL_ENGINE": "podman" if engine == "podman" else "docker"}
    if engine == "gvisor":
        env["SANDBOX_KERNEL_RUNTIME"] = "runsc"
    killed = []
    with client_of(host) as client:
        before = volumes(client)
        for _ in range(max(1, ROUNDS // 2)):
            process = start(directory, **env)
            killed.append(process)
            process.stdout.readline()  # "starting": the interesting moments are behind it
            try:
                process.wait(timeout=dice.uniform(0, 2.5))
            except subprocess.TimeoutExpired:
                end(process)
        assert settle(client, killed) == []
        assert volumes(client) <= before
    assert no_leftovers.settle() == set()


def test_a_busy_container_goes_with_its_host(docker_host, directory, no_leftovers):
    """A flooding kernel with daemons of its own is gone by itself; no sweep is needed."""
    env = {"DOCKER_HOST": docker_host, "SANDBOX_KERNEL_ENGINE": "docker"}
    process = start(directory, count=3, **env)
    while process.stdout.readline() != "busy\n":
        pass
    with client_of(docker_host) as client:
        assert len(containers_of(client, [process])) == 3
        end(process)
        assert settle(client, [process]) == []
    assert no_leftovers.settle() == set()


@pytest.fixture
def own_daemon(docker_host, monkeypatch):
    """A Docker daemon that nobody else uses, to be killed."""
    with or_skip("docker"):
        service = dockerd("mortal")
        service.start()
    images.copy(docker_host, service.host, "python")
    monkeypatch.setenv("DOCKER_HOST", service.host)
    yield service
    service.stop()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_daemon_that_is_killed(own_daemon, directory, no_leftovers):
    """Each running kernel is reported dead, with the cause; the next start works; nothing is left."""
    directory = Path(directory)
    kernels = [Kernel(DockerEngine(), Policy(engine="docker"), directory) for _ in range(3)]
    asked = [kernel.client.execute("import time; time.sleep(600)") for kernel in kernels]
    own_daemon.kill()
    for kernel, message in zip(kernels, asked, strict=True):
        death = kernel.sandbox.ended.result(timeout=PATIENCE)
        assert death.kind == "lost"
        assert "has stopped or was restarted" in death.sentence
        ran = kernel.collect(message, until_idle=False)
        assert death.sentence in ran.reply["content"]["evalue"]
        kernel.close()
    with pytest.raises(EngineUnavailableError, match="does not answer"):
        Kernel(DockerEngine(), Policy(engine="docker"), directory)
    own_daemon.start()
    again = Kernel(DockerEngine(), Policy(engine="docker"), directory)
    assert again.value("6 * 7") == "42"
    again.close()
    with client_of(own_daemon.host) as client:
        deadline = time.monotonic() + GONE_WITHIN
        while (left := there(client)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left
    while leftovers.UNDONE.left(own_daemon.host) and time.monotonic() < deadline:
        time.sleep(0.05)  # it looks once more, and then has nothing to do
    assert leftovers.UNDONE.left(own_daemon.host) == []
    own_daemon.stop()
    gc.collect()  # the client library forgets a socket that could not connect: here, not in another test
    assert no_leftovers.settle() == set()
