"""From a policy to the steps that build its wall: a pure function.

Order, and why:

1. The system's software, /proc and /dev, then the empty directories that may be written to.
2. Grants and Python environments together, outermost first, so that what lies deeper shows
   through what lies around it. An environment is always read-only, also below a directory
   that was granted for writing: the host runs programs from it later, outside any wall.
   Then covers over what must not be reached: doors to the host's programs, and passwords.
3. The guest's own code, and what raises the second wall.
4. The root becomes read-only. (Bubblewrap's root is an unlimited tmpfs: a flood trap.)

Below a writable grant, being read-only is not enough to protect an environment: code could
rename the directory *around* it and put its own in the place. A mount point cannot be
renamed, so each directory between the grant and the environment is bound onto itself. A
symbolic link on the interpreter's way cannot be pinned like that; it is refused.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.bubblewrap.operations import (
    Bind,
    Empty,
    Operation,
    Origin,
    ReadOnly,
    Symlink,
    Tmpfs,
)
from sandbox_kernel.host.engines.bubblewrap.system import System, kernel_interfaces, software
from sandbox_kernel.host.engines.grants import Grant
from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.engines.paths import Link, Shown, between, depth, is_below, is_within
from sandbox_kernel.host.environment import HOME, RUNTIME, TEMPORARY
from sandbox_kernel.policy import Policy

LIBRARY: Final = "/run/sandbox/lib"
"""Where the guest's code is inside; an entry of sys.path."""

GUEST_PARTS: Final = ("__init__.py", "wire", "guest")
"""What of our package goes in; the rest (host, policy, …) does not concern anybody inside."""

KEYS: Final = (
    ".aws", ".azure", ".config", ".docker", ".gnupg", ".ipython", ".jupyter", ".kube",
    ".local/share/containers", ".local/share/jupyter", ".local/share/keyrings", ".mozilla",
    ".password-store", ".pki", ".ssh",
)  # fmt: skip
"""Below a home: an environment that holds one of these is none of its own. (A Python built with the
prefix ~/.local is one; ~/.local/share/uv/python/… and ~/.pyenv/versions/… are not.)"""

SECOND_WALL: Final = "/run/sandbox/raise_wall"
"""Where the program that raises Landlock's wall is inside: its source, or its bytecode."""

RUNTIME_SIZE: Final = 4 << 20
"""A connection file and ten sockets need 44 KiB; the rest is room for what kernels leave there."""


class Facts(Struct, frozen=True):
    """All that the layout depends on besides the policy."""

    system: System
    interpreters: tuple[Interpreter, ...]
    package: str
    """The directory of sandbox_kernel on the host."""
    second_wall: str
    """The file on the host that raises the second wall."""
    provisioner: str | None
    """The directory of sandbox_provisioner, where that is installed."""
    grants: tuple[Grant, ...]
    homes: tuple[str, ...]
    doors: tuple[str, ...] = ()
    """Where sockets and named pipes really are, as far as they were found."""


def build(policy: Policy, facts: Facts) -> list[Operation]:
    """Return the steps, in order.

    :raises WorkspaceError: a grant and an environment get in each other's way.
    """
    steps: list[Operation] = [*software(facts.system), *kernel_interfaces(facts.system, policy.tmp)]
    steps += [
        Tmpfs(TEMPORARY, policy.tmp, mode=0o1777),
        Tmpfs(HOME, policy.tmp, mode=0o700),
        Tmpfs(RUNTIME, RUNTIME_SIZE, mode=0o700),
    ]
    shown = _shown(facts)
    steps += shown
    steps += _closed(facts.doors, shown)
    steps += _covers(facts, kept=[step.target for step in shown if step.origin is Origin.ENVIRONMENT])
    steps += _links(facts, [step.target for step in shown])
    steps += (
        Bind(f"{facts.package}/{part}", f"{LIBRARY}/sandbox_kernel/{part}", origin=Origin.OURS)
        for part in GUEST_PARTS
    )
    steps.append(Bind(facts.second_wall, SECOND_WALL, origin=Origin.OURS))
    steps.append(ReadOnly("/"))
    return steps


def _shown(facts: Facts) -> list[Bind]:
    """Return grants, environments and pins, outermost first."""
    kept = _environments(facts)
    granted = {path: grant for grant in facts.grants for path in (grant.path, grant.real)}
    _judge(facts, kept, granted)
    binds = [Bind(grant.real, path, grant.writable, Origin.GRANT) for path, grant in granted.items()]
    binds += [Bind(pin.real, pin.path, True, Origin.GRANT) for pin in _pins(kept, granted)]
    binds += [Bind(real, path, False, Origin.ENVIRONMENT) for path, real in kept.items()]
    return sorted(binds, key=lambda step: depth(step.target))


def _closed(doors: Iterable[str], shown: list[Bind]) -> Iterator[Empty]:
    """Yield a cover for each place at which a door is seen."""
    for door in doors:
        for step in shown:
            if is_below(door, step.source):
                target = step.target + door.removeprefix(step.source)
                innermost = [bind for bind in shown if is_within(target, bind.target)][-1]
                if innermost is step:
                    yield Empty(target, directory=False)


def _covers(facts: Facts, kept: list[str]) -> Iterator[Empty]:
    """Yield the steps that hide what is nobody's business below the environments shown."""
    private = dict.fromkeys(entry for interpreter in facts.interpreters for entry in interpreter.private)
    for path, directory in private:
        covered = any(is_within(path, place) for place in facts.system.settings)
        if not covered and any(is_below(path, place) for place in (*facts.system.trees, *kept)):
            yield Empty(path, directory)


def _environments(facts: Facts) -> dict[str, str]:
    """Return what is kept read-only, where it is seen and where it really is.

    That is the interpreters' directories, and our own below a writable grant.
    """
    named = {place for interpreter in facts.interpreters for place in interpreter.directories}
    for place in named:
        _judge_environment(place.real, facts.homes)
    packages = [path for path in (facts.package, facts.provisioner) if path is not None]
    ours = {
        Shown(path, path)
        for path in packages
        if any(grant.writable and is_below(path, grant.real) for grant in facts.grants)
    }
    kept: dict[str, str] = {}
    for path, real in sorted(named | ours, key=lambda place: depth(place.path)):
        if not any(is_within(path, other) for other in (*facts.system.trees, *kept)):
            kept[path] = real
    return kept


def _judge_environment(path: str, homes: Iterable[str]) -> None:
    private = [f"{home}/{name}" for home in homes for name in ("", *KEYS)]
    if any(is_within(place.rstrip("/"), path) for place in ("/home", "/root", *private)):
        raise WorkspaceError(
            f"The Python in use has {path} as its prefix, which would show everything in it to the sandbox; "
            f"use a Python in a directory of its own, such as a virtual environment."
        )


def _judge(facts: Facts, kept: Iterable[str], granted: dict[str, Grant]) -> None:
    """Refuse writable grants through which code could replace the host's Python."""
    for path, grant in granted.items():
        around = next((place for place in kept if is_within(path, place)), None)
        if grant.writable and around is not None:
            raise WorkspaceError(
                f"{path} is part of the Python environment {around}, which a sandbox must not write to; "
                f"put the notebook in a folder outside of it, or share it as ro."
            )
    for link in _all_links(facts):
        if _innermost_is_writable(link.path, kept, granted):
            raise WorkspaceError(
                f"{link.path} is a link on the way to the Python in use, in a directory shared for writing: "
                f"code could replace it. Share the directory as ro, or move the environment."
            )


def _all_links(facts: Facts) -> list[Link]:
    return list(dict.fromkeys(link for interpreter in facts.interpreters for link in interpreter.links))


def _innermost_is_writable(path: str, kept: Iterable[str], granted: dict[str, Grant]) -> bool:
    """Say whether code inside could change the directory entry at `path`."""
    around = [(depth(place), False) for place in kept if is_below(path, place)]
    around += [(depth(place), grant.writable) for place, grant in granted.items() if is_below(path, place)]
    return max(around, default=(0, False))[1]


def _pins(kept: Iterable[str], granted: dict[str, Grant]) -> Iterator[Shown]:
    """Yield the directories that must be mount points so that nobody can rename them."""
    seen = set(granted)
    for environment in kept:
        for place, grant in granted.items():
            for path in between(place, environment) if grant.writable else ():
                if path not in seen and _innermost_is_writable(path, kept, granted):
                    seen.add(path)
                    yield Shown(path, grant.real + path.removeprefix(place))


def _links(facts: Facts, shown: list[str]) -> Iterator[Symlink]:
    """Yield the links on the interpreters' ways that no bind shows already."""
    places = [*facts.system.trees, *shown]
    for link in _all_links(facts):
        hidden = not any(is_within(link.path, place) for place in places)
        if hidden and not any(is_below(place, link.path) for place in (*places, HOME)):
            yield Symlink(link.path, link.to)
