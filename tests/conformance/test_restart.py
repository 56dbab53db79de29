"""A second launch on the same front: clients stay connected."""

from sandbox_kernel.host.sandbox import Front
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel


def test_clients_survive_restarts(engine, directory, no_leftovers):
    """The old client's sockets find the new kernel, whose globals are new; also after a crash."""
    front = Front.create()
    first = Kernel(engine, Policy(), directory, front=front)
    first.run("kept = 1")
    first.sandbox.close()
    second = Kernel(engine, Policy(), directory, front=front)
    first.client.wait_for_ready(timeout=30)
    assert second.run("kept", client=first.client).reply["content"]["ename"] == "NameError"
    assert second.run("import os; os.abort()").status == "error"
    second.sandbox.ended.result(timeout=30)
    third = Kernel(engine, Policy(), directory, front=front)
    assert third.run("print(1)").text() == "1\n"
    for kernel in (first, second, third):
        kernel.close()
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
    """Return how many start in seconds on two busy cores: a fork of bubblewrap's costs a tenth of others."""
    return 12 if request.node.callspec.params["engine"] == "bubblewrap" else 4
