"""How a process gets behind a wall: one module or package per engine.

Which one, where the policy leaves it open: Docker if a daemon is at hand that has the image and
can keep all that the policy asks for, grant the notebook's folder and run the kernel (an image has one
Python, and not the environments of this machine), else bubblewrap. Engines are loaded when they are used: to
find that there is no daemon costs a look at a socket, not a client library.
"""

import os
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.base import Engine, Launch
from sandbox_kernel.host.engines.docker.address import at_hand, find_address
from sandbox_kernel.policy import Policy

if TYPE_CHECKING:
    from sandbox_kernel.host.engines.docker.engine import DockerEngine


class Choice(Struct, frozen=True):
    """An engine, and why it is this one."""

    engine: Engine
    reason: str
    """One sentence, for people."""


def select_engine(policy: Policy, launch: Launch | None = None) -> Engine:
    """Return the engine that the policy names or, for "auto", the best that this machine has.

    May wait for a daemon: do not call it on an event loop.

    :raises EngineUnavailableError: the policy needs a container, and no daemon can be found.
    """
    return choose(policy, launch).engine


def choose(policy: Policy, launch: Launch | None = None) -> Choice:
    """Return the engine for a policy and the reason for it; waits and raises as `select_engine`.

    :param launch: what is to be started, if that is known.
    """
    match policy.engine:
        case "bubblewrap":
            return Choice(_bubblewrap(), "The policy names bubblewrap.")
        case "docker" | "podman":
            return Choice(_container(policy.engine), f"The policy names {policy.engine}.")
    wish = policy.image or policy.runtime
    if wish:
        what = "image" if policy.image else "runtime"
        return Choice(_container("docker"), f"The policy names the {what} {wish}, so it is a container.")
    reason = _why_not_docker(policy, launch)
    if reason is None:
        return Choice(_container("docker"), "Docker is here, has the image, and keeps every limit.")
    return Choice(_bubblewrap(), f"Not a container, for: {reason}")


def engines_here() -> list[Engine]:
    """Return every engine that may have sandboxes on this machine, whatever policies say."""
    engines, seen = [_bubblewrap()], set[str]()
    for name in ("docker", "podman"):
        try:
            address = find_address(name, os.environ)
        except SandboxError:  # the variables name nothing: then nothing was started there either
            continue
        if at_hand(address) and address.url not in seen:
            seen.add(address.url)
            engines.append(_container(name))
    return engines


def _why_not_docker(policy: Policy, launch: Launch | None) -> str | None:
    """Return a sentence if Docker cannot do what the policy asks for, or what is to be started."""
    if launch is not None and launch.argv[0] != sys.executable:
        return f"The kernel runs {launch.argv[0]}, which no image has."
    try:
        address = find_address("docker", os.environ)
        if not at_hand(address):
            return f"There is no Docker daemon at {address} that this user may talk to."
        engine = _container("docker")
        unkept = [entry for entry in engine.check(policy) if entry.by is None]
        if launch is not None and not unkept:
            engine.require_grants(policy, launch)
    except SandboxError as error:
        return str(error)
    return unkept[0].detail if unkept else None


def _container(name: str) -> "DockerEngine":
    from sandbox_kernel.host.engines.docker.engine import DockerEngine  # noqa: PLC0415 - loaded when used

    return DockerEngine("podman" if name == "podman" else "docker")


def _bubblewrap() -> Engine:
    from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine  # noqa: PLC0415 - loaded when used

    return BubblewrapEngine()
