"""The end of a sandbox: whatever still runs is ended, and from what is left it is found out why."""

from msgspec.structs import replace

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.deaths import KILLED, Death, Intent, explain
from sandbox_kernel.host.engines.base import SandboxProcess, Usage
from sandbox_kernel.host.tunnel import Tunnel
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import KernelExit

CANCELLED = "It was killed by its owner while a cell was running."
ASKED = Intent("shutdown", "A client asked it to shut down.")


def end(process: SandboxProcess, tunnel: Tunnel) -> Usage:
    """End whatever still runs, and return what was counted."""
    process.kill()
    usage = process.usage() | tunnel.counted
    process.close()
    return usage | process.usage()


def own_usage(exited: KernelExit | None) -> Usage:
    """Return what the guest says that its kernel has used: for records, where nobody else has counted."""
    return Usage(cpu_seconds=exited.cpu_seconds, memory_bytes=exited.max_rss) if exited else Usage()


def autopsy(
    policy: Policy, process: SandboxProcess, tunnel: Tunnel, *, intent: Intent | None, usage: Usage
) -> Death:
    """Return why a sandbox has ended.

    :param intent: what somebody outside has asked for, if anybody has.
    """
    guard = tunnel.guard
    if intent is None and guard.shutdown_requested:
        intent = ASKED
    death = explain(
        policy,
        intent=intent,
        kernel=tunnel.kernel_exit,
        status=process.poll(),
        usage=usage,
        cause=process.cause(),
    )
    if intent is KILLED and death.expected and guard.ledger.running() is not None:
        return replace(death, kind="cancelled", sentence=CANCELLED, exit_code=ExitCode.CANCELLED)
    return death
