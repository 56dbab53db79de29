"""What `doctor` says about this engine's walls."""

from sandbox_kernel.host.engines.base import Enforcement
from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap
from sandbox_kernel.host.engines.bubblewrap.identity import NOBODY, Identity
from sandbox_kernel.host.engines.bubblewrap.landlock import OLDEST, abi
from sandbox_kernel.policy import Policy

YOUNGEST = 6
"""The last ABI of Landlock that added something of use here."""


def report(policy: Policy, wall: Bubblewrap, who: Identity) -> list[Enforcement]:
    """Return an entry for each wall, as this machine has it."""
    return [
        Enforcement("tmp", "tmpfs", "Temporary, home and shared memory directories hold this much each."),
        Enforcement("files", "rlimit", "Each process may have this many files open; core files are off."),
        Enforcement("network", "namespace", "There is a loopback interface and nothing else."),
        Enforcement("processes", "namespace", "Only the sandbox's own processes are seen or signalled."),
        _host_files(policy),
        _nesting(wall),
        _cgroups(wall),
        Enforcement("system calls", "seccomp", "What programs do not need is refused by the kernel."),
        second_wall(abi()),
        _user(who),
    ]


def second_wall(version: int) -> Enforcement:
    """Return what Landlock of this version adds."""
    if version < OLDEST:
        has = f"has an early one (ABI {version}), which would forbid moving files" if version else "has none"
        detail = f"Landlock would stand behind the namespaces; this kernel {has}. Linux 5.19 or later has it."
        return Enforcement("second wall", "namespace", detail)
    more = "" if version >= YOUNGEST else " Later kernels add truncating, devices' requests and signals."
    return Enforcement(
        "second wall",
        f"Landlock ABI {version}",
        f"What the mounts do not give cannot be opened or written, should one of them fail.{more}",
    )


def _host_files(policy: Policy) -> Enforcement:
    shown = {"none": "not shown", "ro": "shown read-only", "rw": "shown and writable"}[policy.workspace]
    return Enforcement(
        "workspace",
        "namespace",
        f"The notebook's directory is {shown}; else only programs, libraries and Python environments are.",
    )


def _nesting(wall: Bubblewrap) -> Enforcement:
    if wall.nested:
        return Enforcement(
            "user namespaces", "namespace", "The kernel allows none inside, and seccomp refuses them."
        )
    detail = f"Refused by seccomp alone: bubblewrap {wall.version} cannot switch them off; 0.8 or later can."
    return Enforcement("user namespaces", "seccomp", detail)


def _cgroups(wall: Bubblewrap) -> Enforcement:
    if wall.cgroup:
        return Enforcement(
            "control groups", "namespace", "Their names on the host are not seen, nothing is mounted."
        )
    detail = "No namespace for them here: their names on the host can be read in /proc/self/cgroup."
    return Enforcement("control groups", "mount", detail, weak=True)


def _user(who: Identity) -> Enforcement:
    if not who.dropped:
        return Enforcement(
            "user", "namespace", f"Runs as uid {who.uid}, without privileges, in a user namespace."
        )
    if who.uid == NOBODY:
        detail = "Root gives up its rights first; all sandboxes share uid 65534, no other is mapped here."
        return Enforcement("user", "uid", detail)
    return Enforcement(
        "user", "uid", "Root gives up its rights first; each sandbox runs under a uid of its own."
    )
