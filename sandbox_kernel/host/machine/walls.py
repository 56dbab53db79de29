"""What an exploit of the Linux kernel would meet behind each wall, as a grade.

The grade is about one question only, for it is the one that namespaces and filters cannot answer:
code inside has found a hole in the kernel that it talks to. Whose kernel is that?
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sandbox_kernel.host.engines.base import Enforcement
from sandbox_kernel.host.engines.docker.facts import Facts


class Grade(Enum):
    """Whose kernel code inside talks to; the best comes first."""

    MACHINE = "A"
    USER_SPACE = "B"
    SHARED = "C"
    WEAKENED = "D"


MEETS: Final = {
    Grade.MACHINE: "a kernel of its own, in a virtual machine: the hypervisor would have to be broken, too",
    Grade.USER_SPACE: (
        "a kernel of its own, in user space (gVisor), which itself runs without privileges behind namespaces "
        "and a filter"
    ),
    Grade.SHARED: (
        "this machine's own kernel, through the system calls that are left: namespaces, control groups "
        "and filter end with it"
    ),
    Grade.WEAKENED: "this machine's own kernel, and less than usual before it",
}


@dataclass(frozen=True, slots=True)
class Wall:
    """One way to run a kernel on this machine."""

    engine: str
    runtime: str
    """What makes the container; empty for bubblewrap."""
    grade: str
    """A to D; empty where it cannot be used."""
    meets: str
    """What an exploit of the Linux kernel would meet; or why this cannot be used."""
    weak: tuple[str, ...] = ()
    """What is kept less well than it could be, each with what to do about it."""
    advice: str = ""
    """What would raise the grade."""


def unusable(engine: str, reason: str) -> Wall:
    """Return an engine that cannot be used here, and why."""
    return Wall(engine, "", "", reason)


def bubblewrap_wall(entries: Iterable[Enforcement]) -> Wall:
    """Grade bubblewrap by how it keeps its walls here."""
    weak = _weak(entries)
    advice = (
        "Containers with a kernel of their own: install gVisor and use --runtime gvisor (B), or Kata (A)."
    )
    return _wall("bubblewrap", "", Grade.WEAKENED if weak else Grade.SHARED, weak, advice)


def container_wall(engine: str, facts: Facts, runtime: str, entries: Iterable[Enforcement] = ()) -> Wall:
    """Grade one of a daemon's runtimes."""
    weak = _weak(entries)
    if facts.is_kata(runtime):
        return _wall(engine, runtime, Grade.MACHINE, weak, "")
    if facts.is_gvisor(runtime):
        advice = "Kata Containers (A), where virtual machines can run."
        return _wall(engine, runtime, Grade.USER_SPACE, weak, advice)
    others = [name for name in facts.runtimes if facts.is_gvisor(name) or facts.is_kata(name)]
    advice = (
        f"Use --runtime {others[0]}, which is there already."
        if others
        else "Install gVisor (`runsc install` adds it to Docker) and use --runtime gvisor (B), or Kata (A)."
    )
    grade = Grade.WEAKENED if weak else Grade.SHARED
    return _wall(engine, runtime, grade, (*weak, *_could_be_better(facts)), advice)


def _could_be_better(facts: Facts) -> Iterator[str]:
    """Yield what ordinary daemons lack, which is no reason for a lower grade."""
    if not facts.userns:
        yield "users: numbers inside are numbers outside; a rootless daemon or userns-remap changes that."
    if not facts.confined:
        yield "modules: the daemon uses neither AppArmor nor SELinux, which would be one wall more."


def graded_runtimes(facts: Facts) -> list[str]:
    """Return the runtimes worth a line: the daemon's own, and those with a kernel of their own.

    A Podman on another machine lists what it has heard of, so only its own is believed.
    """
    if facts.podman and not facts.local:
        return [facts.default_runtime]
    others = [name for name in facts.runtimes if facts.is_gvisor(name) or facts.is_kata(name)]
    return list(dict.fromkeys([facts.default_runtime, *others]))


def _wall(engine: str, runtime: str, grade: Grade, weak: tuple[str, ...], advice: str) -> Wall:
    return Wall(engine, runtime, grade.value, MEETS[grade], weak, advice)


def _weak(entries: Iterable[Enforcement]) -> tuple[str, ...]:
    return tuple(f"{entry.limit}: {entry.detail}" for entry in entries if entry.weak)
