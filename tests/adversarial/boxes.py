"""Programs that attack a limit, inside the engine's wall, and what was counted outside.

Every limit is attacked twice where we are root: as this machine keeps it best, and as it would be
kept were there no control groups at all.
"""

import sys
import textwrap
from dataclasses import dataclass

import pytest

from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.host.engines.bubblewrap.engine import start_command
from sandbox_kernel.host.engines.bubblewrap.limits import plan as plan_module
from sandbox_kernel.host.engines.bubblewrap.limits import plan_limits
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.inside import PATIENCE, _read_all, launch_for

MiB = 1 << 20

# What the guest does for a kernel: where no control group counts processes, a resource limit does.
LIMIT_PROCESSES = "import resource; resource.setrlimit(resource.RLIMIT_NPROC, ({0}, {0}))\n"


@dataclass(frozen=True)
class Attacked:
    """What came of an attack."""

    status: int
    out: str
    err: str
    usage: Usage


@pytest.fixture(params=["best", "watchdog"])
def keeper(request, monkeypatch) -> str:
    """What keeps the limits: the best of this machine, or what is left without control groups."""
    if request.param == "watchdog":
        monkeypatch.setattr(plan_module, "find_trees", list)
    return request.param


def start(code: str, directory, policy: Policy):
    """Start Python code as a child of the sandbox's process 1, under the policy's limits."""
    guest_pids = plan_limits(policy).guest_pids
    prelude = LIMIT_PROCESSES.format(guest_pids) if guest_pids else ""
    program = [sys.executable, "-I", "-B", "-c", prelude + textwrap.dedent(code)]
    inner = ["/bin/sh", "-c", '"$0" "$@"; exit $?', *program]
    return start_command(policy, launch_for(directory), lambda _: inner)


def attack(code: str, directory, **policy) -> Attacked:
    """Run Python code to its end."""
    process = start(code, directory, Policy(**policy))
    try:
        out, err = _read_all([process.stdout, process.stderr])
        status = process._process.wait(PATIENCE)
        return Attacked(status, out, err, process.usage())
    finally:
        process.close()
