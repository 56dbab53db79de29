"""Whether an image can be used here: what is in it, and whether a kernel of it starts."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.base import CONNECTION_FILE, Launch
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.engine import DockerEngine, require_image
from sandbox_kernel.host.images import probe
from sandbox_kernel.host.sandbox import Front, Sandbox
from sandbox_kernel.policy import Policy

OLDEST_PYTHON: Final = (3, 9)
"""The guest runs on this one, and on every newer one."""

_WHAT_IS_IN_IT: Final = """
import json, os, platform, sys
def version(name):
    try:
        from importlib.metadata import version
        return version(name)
    except Exception:
        return ""
print(json.dumps([list(sys.version_info[:3]), sys.executable, version("ipykernel"), version("pyzmq"),
    "%d:%d" % (os.getuid(), os.getgid()), platform.machine()]))
"""


@dataclass(slots=True)
class Finding:
    """What was found; what the image itself says of it is a claim."""

    image: str
    id: str
    engine: str
    usable: bool = False
    guest: str = ""
    """What its label says: version and digest of the guest in it; empty if there is none."""
    guest_is_ours: bool = False
    """Whether that is the guest of this installation; any other is not used, but sent at each start."""
    python: str = ""
    executable: str = ""
    ipykernel: str = ""
    pyzmq: str = ""
    user: str = ""
    """Numbers of the user and group that code runs as."""
    machine: str = ""
    seconds: float = 0.0
    """From nothing to a kernel that answers."""
    problems: list[str] = field(default_factory=list)
    """What is missing; one sentence each."""


def check(engine: DockerEngine, policy: Policy) -> Finding:
    """Look into the policy's image, and start a kernel of it; nothing of this machine is shared with either.

    :raises EngineUnavailableError: the daemon does not answer, or does not have the image.
    :raises LimitUnenforceableError: the daemon does not keep a limit.
    """
    engine.check(policy)
    daemon = engine.connect()
    try:
        image = require_image(policy, daemon)
        finding = Finding(image.name, image.id, daemon.address.engine)
        finding.guest, finding.guest_is_ours = image.guest, image.guest == guest.label()
        _look_into(daemon, finding, policy)
    finally:
        daemon.close()
    if not finding.problems:
        _start(engine, finding, policy)
    finding.usable = not finding.problems
    return finding


def _look_into(daemon: Daemon, finding: Finding, policy: Policy) -> None:
    try:
        answer = probe.ask(daemon, require_image(policy, daemon), _WHAT_IS_IN_IT, policy)
        version, *words = answer
        numbers = tuple(int(number) for number in version)
        finding.python = ".".join(map(str, numbers))
        finding.executable, finding.ipykernel, finding.pyzmq, finding.user, finding.machine = map(str, words)
    except SandboxError as error:
        finding.problems.append(str(error))
        return
    except (TypeError, ValueError):
        finding.problems.append(f"Its python3 says of itself {str(answer)[:200]!r}, which makes no sense.")
        return
    if numbers < OLDEST_PYTHON:
        finding.problems.append(f"Its Python is {finding.python}; 3.9 or newer is needed.")
    if not finding.ipykernel:
        finding.problems.append(
            "ipykernel is missing; `RUN python3 -m pip install ipykernel` in its Dockerfile adds it."
        )
    elif not finding.pyzmq:
        finding.problems.append("pyzmq is missing, without which ipykernel does not work.")


def _start(engine: DockerEngine, finding: Finding, policy: Policy) -> None:
    """Start a kernel, and end it once it has answered."""
    argv = (guest.PYTHON, "-m", "ipykernel_launcher", "-f", CONNECTION_FILE)
    front = Front.create()
    try:
        sandbox = Sandbox(policy, Launch(argv, Path("/"), secrets.token_hex(8)), engine, front)
        began = monotonic()
        try:
            sandbox.start().result()
            finding.seconds = round(monotonic() - began, 2)
        except SandboxError as error:
            finding.problems.append(f"No kernel starts in it: {error}")
        finally:
            sandbox.close()
    finally:
        front.close()
