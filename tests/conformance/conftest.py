"""One suite for every engine: the fixtures hand out kernels, the tests do not know behind which wall."""

import shutil
import tempfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.host.engines.memory import MemoryEngine
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel
from tests.daemons.plugin import container_host

EMBEDDED = {"memory": MemoryEngine, "bubblewrap": BubblewrapEngine}
CONTAINERS = ("docker", "gvisor", "podman")


class Gvisor(DockerEngine):
    """Docker, where every container gets gVisor as its kernel."""

    def check(self, policy):
        return super().check(replace(policy, runtime="runsc"))

    def start(self, policy, launch):
        return super().start(replace(policy, runtime="runsc"), launch)


def make(request, name):
    """Return the engine of that name, with its daemon up."""
    if name in EMBEDDED:
        return EMBEDDED[name]()
    program = "podman" if name == "podman" else "docker"
    kind = Gvisor if name == "gvisor" else DockerEngine
    return kind(program, address=Address(program, container_host(request, name), "tests"))


@pytest.fixture(scope="session", params=[*EMBEDDED, *CONTAINERS])
def engine(request):
    """Every engine of this machine, one after the other."""
    engine = make(request, request.param)
    try:
        engine.check(Policy())
    except SandboxError as error:
        pytest.skip(f"engine {request.param}: {error}")
    return engine


@pytest.fixture
def start(engine, directory):
    """Start kernels; all are ended after the test."""
    kernels = []

    def start(policy=None, **changes):
        kernel = Kernel(engine, policy or Policy(), directory, **changes)
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


@pytest.fixture(scope="module")
def shared(engine):
    """A kernel that the tests of a module share: for what leaves no state behind."""
    path = Path(tempfile.mkdtemp(prefix="notebook-"))
    path.chmod(0o755)
    kernel = Kernel(engine, Policy(), path)
    yield kernel
    kernel.close()
    shutil.rmtree(path)


@pytest.fixture
def kernel(shared):
    """The shared kernel, with nothing unread on its channels."""
    shared.drain()
    return shared
