"""Whether a policy's wall can be built on this machine, before anything is started behind it."""

from sandbox_kernel.errors import LimitUnenforceableError, SandboxError
from sandbox_kernel.host.engines import choose
from sandbox_kernel.policy import Policy


def require_wall(policy: Policy) -> None:
    """See to it that this machine has the policy's engine, and that it keeps every limit.

    :raises SandboxError: no kernel with this policy would start; the message says why.
    """
    for entry in choose(policy).engine.check(policy):
        if entry.by is None:
            raise LimitUnenforceableError(f"Nothing here enforces {entry.limit}: {entry.detail}")


def missing(policy: Policy) -> str | None:
    """Return why no kernel with this policy would start on this machine, None if it would."""
    try:
        require_wall(policy)
    except SandboxError as error:
        return str(error)
    return None
