"""Looks at this machine: its engines and their runtimes, their versions, and the kernel's settings."""

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines import engines_here
from sandbox_kernel.host.engines.base import Engine
from sandbox_kernel.host.engines.bubblewrap.bwrap import find_bubblewrap
from sandbox_kernel.host.engines.bubblewrap.identity import trial_identity
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.host.engines.docker.facts import FAMILIES, Facts
from sandbox_kernel.host.machine.holes import Hole, known_holes
from sandbox_kernel.host.machine.settings import Setting, processor_holes, weak_settings
from sandbox_kernel.host.machine.walls import (
    Wall,
    bubblewrap_wall,
    container_wall,
    graded_runtimes,
    unusable,
)
from sandbox_kernel.policy import Policy

PATIENCE: Final = 10.0
"""Seconds for a daemon, or a program that is asked for its version; both answer in milliseconds."""

BIND_BY_DESCRIPTOR: Final = "--bind-fd"
"""A bubblewrap with this option has what closes CVE-2024-42472, whatever its version."""


@dataclass(slots=True)
class Survey:
    """What was found."""

    walls: list[Wall] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    processor: list[str] = field(default_factory=list)
    """Names of the processor's holes that are open: side channels, which no wall here closes."""
    local: set[str] = field(default_factory=set)
    """Engines whose sandboxes run on this machine, and not on another one's daemon."""

    def wall_of(self, engine: str, runtime: str | None) -> Wall | None:
        """Return what a policy with this engine and runtime gets; None if that is not graded."""
        here = [wall for wall in self.walls if wall.engine == engine and wall.grade]
        if runtime is None:
            return here[0] if here else None  # the daemon's own comes first
        names = (runtime, *FAMILIES.get(runtime, ()))
        return next((wall for name in names for wall in here if wall.runtime == name), None)


def survey(policy: Policy) -> Survey:
    """Look at all engines at hand; never raises for one that is not usable."""
    found = Survey(settings=weak_settings(), processor=processor_holes())
    for engine in engines_here():
        try:
            if isinstance(engine, DockerEngine):
                _look_at_daemon(engine, found)
            else:
                _look_at_bubblewrap(engine, policy, found)
        except SandboxError as error:
            found.walls.append(unusable(engine.name, str(error)))
    return found


def _look_at_bubblewrap(engine: Engine, policy: Policy, found: Survey) -> None:
    # For its own sake: what the policy says about containers is not its business.
    entries = engine.check(replace(policy, engine="bubblewrap", image=None, runtime=None))
    wall = bubblewrap_wall(entries)
    program = find_bubblewrap(trial_identity())
    holes = [
        hole
        for hole in known_holes({"bubblewrap": program.version})
        if BIND_BY_DESCRIPTOR not in program.options and os.geteuid() != 0  # root's go another way
    ]
    if Path(program.path).stat().st_mode & stat.S_ISUID:
        holes.append(
            Hole(
                "bubblewrap",
                f"{program.version}, set-user-ID",
                ("CVE-2020-5291", "CVE-2026-41163"),
                "0.11.2",
                "They concern every user of this machine, not sandboxes.",
                f"`chmod u-s {program.path}`: where user namespaces are allowed it needs no such bit.",
            )
        )
    found.walls.append(wall)
    found.holes += holes
    found.local.add(engine.name)


def _look_at_daemon(engine: DockerEngine, found: Survey) -> None:
    daemon = engine.connect(timeout=PATIENCE)
    try:
        facts = daemon.facts()
    finally:
        daemon.close()
    if facts.local:
        found.local.add(engine.name)
    found.walls += [container_wall(engine.name, facts, runtime) for runtime in graded_runtimes(facts)]
    found.holes += [hole for hole in known_holes(_versions(facts)) if hole not in found.holes]


def _versions(facts: Facts) -> dict[str, str]:
    """Return the versions of a daemon's parts, as far as it tells; of gVisor, if it is on this machine."""
    versions = {name: version for name, version in facts.components.items() if name in {"runc", "containerd"}}
    if facts.podman:
        said = facts.components.get("OCI Runtime (runc)", "").split()  # "runc version 1.1.5 commit: …"
        versions |= {"runc": said[2]} if said[:2] == ["runc", "version"] else {}
    else:
        versions["docker"] = facts.version
    if facts.local and any(facts.is_gvisor(name) for name in facts.runtimes) and (number := _gvisor()):
        versions["gvisor"] = number
    return versions


def _gvisor() -> str:
    program = shutil.which("runsc")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
    except (OSError, subprocess.SubprocessError):  # it is asked for a number only
        return ""
    return next(iter(done.stdout.partition("\n")[0].split()[-1:]), "")  # "runsc version release-2026…"
