"""How a daemon keeps each limit and wall, for `doctor` and before anything starts."""

from typing import Final

from sandbox_kernel.errors import EngineUnavailableError, LimitUnenforceableError
from sandbox_kernel.host.engines.base import Enforcement
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import Facts, Image
from sandbox_kernel.policy import Policy

_SETUP: Final = {
    "memory": "start the machine with cgroup_enable=memory, or delegate that controller to the daemon",
    "swap": "start the machine with swapaccount=1, or use control groups of version 2",
    "pids": "delegate the pids controller to the daemon",
    "cpus": "delegate the cpu controller to the daemon",
    "seccomp": "use a daemon that was built with seccomp, on a kernel that has it",
}


def require_limits(policy: Policy, facts: Facts) -> None:
    """Refuse a daemon that would run the container without what the policy promises.

    :raises LimitUnenforceableError: names what it cannot keep.
    :raises EngineUnavailableError: it does not have the runtime.
    """
    if facts.podman and not facts.local:  # it takes the list of system calls by its path only
        raise EngineUnavailableError(
            "Podman on another machine cannot be used; use Docker there, or Podman here."
        )
    for name, advice in _SETUP.items():
        if not getattr(facts, name):
            what = "filter system calls (seccomp)" if name == "seccomp" else f"limit {name}"
            raise LimitUnenforceableError(
                f"{facts.product} here cannot {what}, and would run without; {advice}."
            )
    _require_files(policy, facts)
    if policy.runtime and not facts.has_runtime(policy.runtime):
        usual = [name for name in facts.runtimes if not name.startswith("io.containerd.")]
        raise EngineUnavailableError(
            f"{facts.product} here has no runtime {policy.runtime}, only {', '.join(usual)}; "
            f"{_how_to_get(policy.runtime, facts)}."
        )


def _require_files(policy: Policy, facts: Facts) -> None:
    """Refuse more open files than the daemon may grant: it would say so itself, in words of its own."""
    if facts.is_gvisor(policy.runtime) or facts.is_kata(policy.runtime):  # their own kernels count
        return
    if facts.files is not None and policy.files > facts.files:
        raise LimitUnenforceableError(
            f"'files' is {policy.files}, but {facts.product} here may let a process open at most "
            f"{facts.files}: ask for no more, or start the daemon with a higher limit (LimitNOFILE)."
        )


def _how_to_get(runtime: str, facts: Facts) -> str:
    """Return how a runtime gets there."""
    if facts.podman:
        return "install it, and name it in containers.conf (engine.runtimes)"
    if facts.is_gvisor(runtime) or runtime == "gvisor":
        return "install gVisor, and have `runsc install` add it to the daemon's configuration"
    if facts.is_kata(runtime):
        return (
            "install Kata Containers, and add it to the daemon's configuration (/etc/docker/daemon.json): "
            '{"runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}}}'
        )
    return "add it to the daemon's configuration"


def report(policy: Policy, facts: Facts, image: Image, address: Address) -> list[Enforcement]:
    """Return an entry for each limit and wall, as this daemon has it."""
    groups = f"cgroup v{facts.cgroups}"
    return [
        Enforcement("memory", groups, "All processes together, swap included."),
        Enforcement("cpus", groups, "CPU time of all processes together."),
        _pids(policy, facts),
        _tmp(policy, facts),
        Enforcement("files", "rlimit", "Each process may have this many files open; core files are off."),
        Enforcement("network", "namespace", "There is a loopback interface and nothing else."),
        Enforcement("processes", "namespace", "Only the sandbox's own processes are seen or signalled."),
        _workspace(policy, facts, address),
        Enforcement("user namespaces", "seccomp", "None can be made inside."),
        Enforcement("control groups", "namespace", "Shown read-only."),
        _calls(policy, facts),
        _user(facts),
        _runtime(policy, facts),
        _image(image),
    ]


def _pids(policy: Policy, facts: Facts) -> Enforcement:
    if facts.is_gvisor(policy.runtime):
        detail = "Processes and threads together, counted by gVisor's kernel; gVisor's own are bounded, too."
        return Enforcement("pids", "rlimit", detail)
    return Enforcement("pids", groups_of(facts), "Processes and threads together.")


def _tmp(policy: Policy, facts: Facts) -> Enforcement:
    if facts.is_gvisor(policy.runtime):
        detail = "Held in memory, which is limited; gVisor of before 2023 keeps no size of their own."
        return Enforcement("tmp", groups_of(facts), detail, weak=True)
    return Enforcement("tmp", "tmpfs", "Temporary, home and shared memory directories hold this much each.")


def groups_of(facts: Facts) -> str:
    """Return what limits memory."""
    return f"cgroup v{facts.cgroups}"


def _workspace(policy: Policy, facts: Facts, address: Address) -> Enforcement:
    if not facts.local:
        detail = f"{facts.product} at {address} is not on this machine: only workspace none can be used."
        return Enforcement("workspace", "none needed" if policy.workspace == "none" else None, detail)
    shown = {"none": "not shown", "ro": "shown read-only", "rw": "shown and writable"}[policy.workspace]
    return Enforcement(
        "workspace", "mount", f"The notebook's directory is {shown}; else nothing of the host is."
    )


def _calls(policy: Policy, facts: Facts) -> Enforcement:
    if facts.is_gvisor(policy.runtime):
        return Enforcement(
            "system calls", "gvisor", "Code inside speaks to gVisor's kernel, not to the host's."
        )
    if facts.is_kata(policy.runtime):
        return Enforcement(
            "system calls", "kata", "Code inside speaks to a kernel in a virtual machine, not to the host's."
        )
    return Enforcement("system calls", "seccomp", "What programs do not need is refused by the kernel.")


def _user(facts: Facts) -> Enforcement:
    if facts.rootless:
        detail = "The daemon itself runs without root's rights (rootless), in a user namespace."
        return Enforcement("user", "namespace", detail)
    if facts.userns:
        detail = "Users inside are other users outside (userns-remap), and no privileges are held."
        return Enforcement("user", "namespace", detail)
    detail = (
        "Runs as an ordinary user, without privileges; numbers inside are numbers outside, "
        "for the daemon uses no user namespaces (userns-remap, or a rootless daemon)."
    )
    return Enforcement("user", "uid", detail)


def _runtime(policy: Policy, facts: Facts) -> Enforcement:
    name = facts.runtime(policy.runtime)
    return Enforcement("runtime", name, f"{facts.product} {facts.version} runs containers with {name}.")


def _image(image: Image) -> Enforcement:
    if image.guest == guest.label():
        return Enforcement("image", image.name, "It carries this version's guest.")
    detail = "It carries no guest of this version: one is sent at each start, which takes it a little longer."
    return Enforcement("image", image.name, detail)
