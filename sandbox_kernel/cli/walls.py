"""Whether a policy's wall can be built on this machine, before anything is started behind it."""

import os
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from sandbox_kernel.errors import LimitUnenforceableError, SandboxError
from sandbox_kernel.host.engines import choose
from sandbox_kernel.host.engines.docker.address import at_hand, find_address
from sandbox_kernel.host.machine.room import beyond, room_here
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


def beyond_reach(policy: Policy, asked: Collection[str]) -> list[str]:
    """Return a sentence on each size that was asked for and that this machine does not have.

    No daemon is asked anything. Where sandboxes may be on another machine, nothing is said of this one.

    :param asked: the fields that somebody has set; a profile's own values are no news.
    """
    try:
        address = find_address("podman" if policy.engine == "podman" else "docker", os.environ)
    except SandboxError:  # whoever starts a sandbox there says it better
        return []
    containers = policy.engine in ("docker", "podman") or bool(policy.image or policy.runtime)
    maybe = containers or (policy.engine == "auto" and at_hand(address))
    if maybe and address.socket is None:
        return []
    sentences = beyond(policy, room_here(), started_here=not maybe)
    return [sentence for sentence in sentences if sentence.partition(" ")[0] in asked]


def absent(policy: Policy, directory: Path) -> list[str]:
    """Return a sentence on each module of `preload` that a kernel of this environment does not have.

    They are looked for, here and beside the notebook, and not imported. An image has modules of its own.
    """
    if policy.engine != "bubblewrap":
        return []
    return [
        f"--preload {name}: there is no module {root!r} here; the kernel starts without it."
        for name in policy.preload
        if not _is_there(root := name.partition(".")[0], directory)
    ]


def _is_there(module: str, directory: Path) -> bool:
    if (directory / module).is_dir() or (directory / f"{module}.py").exists():
        return True
    try:
        return find_spec(module) is not None
    except ValueError:  # one that is imported, and was made by hand
        return True
