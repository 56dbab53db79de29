"""Promise: what bubblewrap's filter refuses, a container's refuses as well: there is one list.

The attacks of `test_syscalls`, in a real kernel's container; and once more with the engine's own list
instead, which lets a good part of them through.
"""

import json
import textwrap

import pytest

from sandbox_kernel.host.engines.docker import engine as engine_module
from sandbox_kernel.policy import Policy
from tests.adversarial import test_syscalls as attacks
from tests.conformance.conftest import make
from tests.conformance.kernel import Kernel

# gVisor is not among them: it has a kernel of its own, which is the wall.
ENGINES = ("docker", "podman")

RUN = """
import json, subprocess, sys
command = [sys.executable, "-I", "-B", "-c", {code!r}, {orders!r}]
done = subprocess.run(command, capture_output=True, text=True)
print(done.stdout, done.stderr)
"""

LET_THROUGH = {
    *("ptrace", "io_setup"),
    *("chmod set-uid", "openat", "a larger pipe", "SCTP", "MPTCP", "ping"),
    *("System V shared memory", "System V semaphores", "POSIX queues"),
}
"""What Docker's and Podman's own lists allow, older and newer: most of it works, some this kernel has not."""


def run_attacks(engine, directory) -> dict[str, str]:
    """Return what came of every attack in a container of its own."""
    kernel = Kernel(engine, Policy(workspace="none"), directory)
    try:
        code = textwrap.dedent(attacks.ATTACKER)
        ran = kernel.run(RUN.format(code=code, orders=attacks.orders()))
        lines = [line for line in ran.text().splitlines() if line.startswith("[")]
        assert ran.status == "ok", ran.reply["content"]
        return dict(json.loads(line) for line in lines)
    finally:
        kernel.close()


def wanted() -> dict[str, str]:
    """Return what the filter answers to each attack, whoever has loaded it."""
    names = json.loads(attacks.orders())[1]
    return {name: "ENOSYS" if name in attacks.UNKNOWN else "EPERM" for name in names}


@pytest.mark.parametrize("name", ENGINES)
def test_containers_refuse_the_same(request, name, directory):
    """Attack by attack, with the same error."""
    assert run_attacks(make(request, name), directory) == wanted()


@pytest.mark.parametrize("name", ENGINES)
def test_the_engines_own_list_lets_some_through(request, name, directory, monkeypatch):
    """So it is our list that refuses them."""
    real = engine_module.container

    def with_its_own_list(*arguments, **options):
        body = real(*arguments, **options)
        kept = [option for option in body["HostConfig"]["SecurityOpt"] if not option.startswith("seccomp=")]
        body["HostConfig"]["SecurityOpt"] = kept
        return body

    monkeypatch.setattr(engine_module, "container", with_its_own_list)
    found = run_attacks(make(request, name), directory)
    assert found.keys() == wanted().keys()
    refused = wanted()
    assert {each for each in LET_THROUGH if found[each] == refused[each]} == set(), found
    assert sum(answer == "done" for answer in found.values()) > 15, found
