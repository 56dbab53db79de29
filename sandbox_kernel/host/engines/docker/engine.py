"""Containers, made by Docker or by Podman, on this machine or on another.

Nothing of a container is used but its attached streams: no port, no file of it, no command in it.
So it does not matter where the daemon is, and which runtime it has (runc, crun, gVisor's runsc).
One container per launch; none is used twice.
"""

import os
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from sandbox_kernel.errors import EngineUnavailableError, LimitUnenforceableError, SandboxError, StartError
from sandbox_kernel.host.engines.base import OUR_IMAGE, Enforcement, Launch
from sandbox_kernel.host.engines.docker import guest, leftovers
from sandbox_kernel.host.engines.docker.address import Address, find_address
from sandbox_kernel.host.engines.docker.daemon import Daemon, RefusedError
from sandbox_kernel.host.engines.docker.events import Watcher, watcher
from sandbox_kernel.host.engines.docker.facts import Facts, Image
from sandbox_kernel.host.engines.docker.grants import Granted, grant
from sandbox_kernel.host.engines.docker.kernel import start_message
from sandbox_kernel.host.engines.docker.line import Line
from sandbox_kernel.host.engines.docker.mounted import require_as_judged
from sandbox_kernel.host.engines.docker.process import DockerProcess
from sandbox_kernel.host.engines.docker.report import report, require_limits
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.host.janitor import JANITOR
from sandbox_kernel.policy import Policy

SECCOMP: Final = Path(__file__).parent.parent / "seccomp.json"
"""The one source of the system calls that are allowed: here as it is, compiled for bubblewrap."""

OUR_NAMES: Final = ("python", "scipy")
"""What `sandbox-kernel image build` builds."""

PREFIX: Final = "sandbox-kernel-"
"""How containers are called: this, and the launch's name."""


class DockerEngine:
    """Puts a process behind a container's wall."""

    def __init__(
        self, name: Literal["docker", "podman"] = "docker", *, address: Address | None = None
    ) -> None:
        """Stand for a daemon: by default the one that the environment names when it is needed."""
        self.name: str = name
        self._address = address

    def connect(self, *, timeout: float | None = None) -> Daemon:
        """Return a connection to the daemon; the caller closes it.

        :raises EngineUnavailableError: there is none.
        """
        address = self._address or find_address(self.name, os.environ)
        return Daemon(address) if timeout is None else Daemon(address, timeout)

    def check(self, policy: Policy) -> list[Enforcement]:
        """Return how each wall and limit is kept by the daemon.

        :raises EngineUnavailableError: no daemon answers, or it lacks the image or the runtime.
        """
        daemon = self.connect()
        try:
            facts = daemon.facts()
            image = require_image(policy, daemon)
            require_limits(policy, facts)
            return report(policy, facts, image, daemon.address)
        finally:
            daemon.close()

    def require_grants(self, policy: Policy, launch: Launch) -> None:
        """Do nothing if the daemon can be given what the policy grants for a launch.

        :raises EngineUnavailableError: no daemon answers.
        :raises WorkspaceError: something cannot be granted.
        """
        daemon = self.connect()
        try:
            grant(policy, launch, daemon.address, daemon.facts())
        finally:
            daemon.close()

    def software(self, policy: Policy) -> str:
        """Return the daemon's address and the image's digest.

        :raises EngineUnavailableError: no daemon answers, or it lacks the image.
        """
        daemon = self.connect()
        try:
            return f"{daemon.address.url} {require_image(policy, daemon).id}"
        finally:
            daemon.close()

    def sweep(self) -> list[str]:
        """Remove the containers of hosts that are gone; without a daemon there is nothing to remove."""
        try:
            daemon = self.connect()
        except EngineUnavailableError:
            return []
        try:
            return leftovers.sweep(daemon)
        except SandboxError:  # it went away in the middle: the next sweep goes on
            return []
        finally:
            daemon.close()

    def start(self, policy: Policy, launch: Launch) -> DockerProcess:
        """Start the guest behind the wall; see `Engine.start`."""
        daemon = self.connect()
        try:
            leftovers.UNDONE.catch_up(daemon)
            facts = daemon.facts()
            image = require_image(policy, daemon)
            require_limits(policy, facts)
            granted = grant(policy, launch, daemon.address, facts)
            return _launch(daemon, policy, launch, image, facts, granted)
        except BaseException:
            daemon.close()
            raise


def require_image(policy: Policy, daemon: Daemon) -> Image:
    """Return the image of a policy; it is never pulled, for that takes minutes and is nobody's wish.

    :raises EngineUnavailableError: the daemon does not have it; says how it gets there.
    """
    name = policy.image or OUR_IMAGE
    image = daemon.image(name)
    if image is None:
        engine = daemon.address.engine
        ours = name.removeprefix("sandbox-kernel/").partition(":")[0]
        how = (
            f"`sandbox-kernel image build {ours}` makes it"
            if ours in OUR_NAMES and ours != name
            else f"get it with `{engine} pull {name}`, or build it; `sandbox-kernel image list` shows ours"
        )
        raise EngineUnavailableError(f"The image {name} is not at {daemon.address}; {how}.")
    if image.misleading:
        raise EngineUnavailableError(
            f"The image {name} has the label {image.misleading[0]}, with which daemons misreport how its "
            "containers end; build it without."
        )
    return image


def _launch(
    daemon: Daemon, policy: Policy, launch: Launch, image: Image, facts: Facts, granted: Granted
) -> DockerProcess:
    """Make, attach and start the container; on failure leave nothing."""
    command, first = guest.command(image.guest)
    run = Run(command, leftovers.labels(launch.name))
    seccomp = str(SECCOMP) if facts.podman else SECCOMP.read_text(encoding="utf-8")
    body = container(policy, image, facts, granted, run, seccomp=seccomp)
    JANITOR.note(launch.name, daemon=daemon.address.socket)
    telling = watcher(daemon.address)
    watch = telling.watch(launch.name)
    identifier = PREFIX + launch.name  # as good, should the answer be lost
    try:
        created = daemon.create(identifier, body)
        identifier = created.id
        _require_unwarned(created.warnings)
        _require_runtime(policy, facts, daemon, identifier)
        line = _attach_and_start(daemon, identifier, image, telling)
        try:
            _require_mounted(policy, facts, granted, daemon, identifier)
            process = DockerProcess(
                daemon, identifier, launch.name, line, first, start_message(policy, launch, image, facts)
            )
        except BaseException:
            line.close()
            raise
        process.image_id = image.id
        process.watched(telling, watch)
        daemon.rest()  # until the end there is nothing to ask
    except BaseException:
        telling.forget(launch.name)
        leftovers.UNDONE.note(daemon.address, identifier)
        leftovers.UNDONE.catch_up(daemon)
        JANITOR.forget(launch.name)
        raise
    return process


def _attach_and_start(daemon: Daemon, identifier: str, image: Image, telling: Watcher) -> Line:
    try:
        line = daemon.attach(identifier)  # Podman looks for the program already now
        try:
            telling.wait()
            daemon.start(identifier)
        except BaseException:
            line.close()
            raise
    except RefusedError as error:
        if guest.PYTHON in str(error) and ("not found" in str(error) or "no such file" in str(error).lower()):
            raise StartError(
                f"The image {image.name} has no {guest.PYTHON} on its PATH; "
                f"it needs Python 3.9 or later, and ipykernel."
            ) from error
        raise
    return line


def _require_mounted(policy: Policy, facts: Facts, granted: Granted, daemon: Daemon, identifier: str) -> None:
    """Make sure that no folder was exchanged on its way into the container."""
    if granted.binds and not facts.is_gvisor(policy.runtime):
        state = (daemon.inspect(identifier) or {}).get("State") or {}
        require_as_judged(granted.binds, identifier, int(state.get("Pid") or 0), hidden=facts.rootless)


def _require_unwarned(warnings: tuple[str, ...]) -> None:
    """Refuse a container that the daemon would run without what was asked for."""
    if warnings:
        raise LimitUnenforceableError(f"The daemon does not keep a limit: {' '.join(warnings)}")


def _require_runtime(policy: Policy, facts: Facts, daemon: Daemon, identifier: str) -> None:
    """Make sure that the runtime is the one that was asked for: Podman has its own idea of it."""
    wanted = facts.runtime(policy.runtime)
    if not facts.podman or wanted == facts.default_runtime:
        return
    found = daemon.inspect(identifier) or {}
    runtime = str((found.get("HostConfig") or {}).get("Runtime") or found.get("OCIRuntime") or "")
    if PurePosixPath(runtime).name != PurePosixPath(wanted).name:
        raise EngineUnavailableError(
            f"Podman's service runs every container with {facts.default_runtime}, not with {wanted}; "
            f"set runtime = {wanted!r} in its containers.conf."
        )
