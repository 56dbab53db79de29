"""Real daemons with the engines on them."""

import pytest
from msgspec.structs import replace

from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.host.engines.docker.leftovers import KERNEL
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel
from tests.daemons.plugin import container_host

ENGINES = ("docker", "gvisor", "podman")


class Place:
    """One engine on one daemon, and what tests ask of both."""

    def __init__(self, name, host):
        self.name = name
        self.program = "podman" if name == "podman" else "docker"
        self.address = Address(self.program, host, "tests")
        self.engine = DockerEngine(self.program, address=self.address)
        self.daemon = Daemon(self.address)
        self._kernels = []

    def policy(self, **changes):
        """Return a policy for this engine."""
        policy = Policy(engine=self.program, **changes)
        return replace(policy, runtime="runsc") if self.name == "gvisor" else policy

    def start(self, directory, policy=None, **changes):
        """Start a kernel; it is ended after the test."""
        kernel = Kernel(self.engine, policy or self.policy(), directory, **changes)
        self._kernels.append(kernel)
        return kernel

    def container(self, kernel):
        """Return what the daemon says about a kernel's container, None if there is none."""
        found = self.daemon.containers(f"{KERNEL}={kernel.sandbox.launch.name}")
        return self.daemon.inspect(found[0]["Id"]) if found else None

    def close(self):
        """End all kernels."""
        for kernel in self._kernels:
            kernel.close()
        self.daemon.close()


@pytest.fixture(params=ENGINES)
def place(request):
    """Each of the container engines, one after the other."""
    place = Place(request.param, container_host(request, request.param))
    yield place
    place.close()


@pytest.fixture
def docker(docker_host):
    """Docker alone."""
    place = Place("docker", docker_host)
    yield place
    place.close()


@pytest.fixture
def folder(tmp_path):
    """A folder that everybody may read, whatever pytest's own may be."""
    path = tmp_path / "notebooks"
    path.mkdir()
    path.chmod(0o755)
    return path
