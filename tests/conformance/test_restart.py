"""A second launch on the same front: clients stay connected."""

from sandbox_kernel.host.sandbox import Front
from sandbox_kernel.policy import Policy
from tests.conformance.conftest import CONTAINERS
from tests.conformance.kernel import Kernel


def test_clients_survive_a_restart(engine, directory, no_leftovers):
    """The old client's sockets find the new kernel, whose globals are new."""
    front = Front.create()
    first = Kernel(engine, Policy(), directory, front=front)
    first.run("kept = 1")
    first.sandbox.close()
    second = Kernel(engine, Policy(), directory, front=front)
    first.client.wait_for_ready(timeout=30)
    assert second.run("kept", client=first.client).reply["content"]["ename"] == "NameError"
    assert second.run("print(1)").text() == "1\n"
    first.close()
    second.close()
    front.close()


def test_a_restart_after_a_crash(engine, directory):
    """A crash, too, leaves the front usable for the next launch."""
    front = Front.create()
    first = Kernel(engine, Policy(), directory, front=front)
    first.run("import os; os.abort()")
    first.sandbox.ended.result(timeout=30)
    second = Kernel(engine, Policy(), directory, front=front)
    assert second.run("print(1)").text() == "1\n"
    first.close()
    second.close()
    front.close()


def test_many_at_once(request, no_leftovers, start):
    """Kernels start together, answer, and go together."""
    kernels = [start(wait=False) for _ in range(many(request))]
    for kernel in kernels:
        kernel.started.result(timeout=120)
        kernel.client = kernel.connect()
    ids = [kernel.client.execute(f"print({number})") for number, kernel in enumerate(kernels)]
    for number, (kernel, msg_id) in enumerate(zip(kernels, ids, strict=True)):
        assert kernel.collect(msg_id).text() == f"{number}\n"


def many(request) -> int:
    """Return how many start in seconds on two busy cores: a container costs as much as three others."""
    return 4 if request.node.callspec.params["engine"] in CONTAINERS else 12
