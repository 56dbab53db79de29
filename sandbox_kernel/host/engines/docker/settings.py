"""From a policy to the body of the request that makes the container. Pure: nothing is asked here.

What an image says about users, volumes, health checks, commands and signals is overruled, field by
field. What is not named here is the daemon's default, which is what its administrator set.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from sandbox_kernel.host.engines.docker.facts import Facts, Image
from sandbox_kernel.host.engines.docker.grants import Bind, Granted
from sandbox_kernel.host.engines.paths import is_below
from sandbox_kernel.host.environment import HOME, RUNTIME, TEMPORARY
from sandbox_kernel.policy import Policy

KiB: Final = 1 << 10

RUNTIME_SIZE: Final = 4 << 20
"""Bytes for the connection file and the kernel's sockets, which take none."""

PER_FILE: Final = 4 * KiB
"""Bytes of a temporary directory per file in it, at least: also empty files take memory."""

MESSAGE_QUEUES: Final = 800 * KiB
"""Bytes of POSIX message queues: the default of Linux; memory that is counted nowhere else."""

LOCKED: Final = 64 * KiB
"""Bytes that may not be swapped out: an old default of Linux, enough for a password."""

GVISOR_SHARE: Final = 8
GVISOR_OWN: Final = 512
"""Processes and threads of gVisor on the host: for each inside, and for itself."""
MOST_PIDS: Final = 1 << 22
"""Linux has no more (PID_MAX_LIMIT), and control groups refuse a limit above."""

CLOSED_HOMES: Final = ("/root",)
"""Directories that images keep closed, and that notebooks may lie below."""


HOST_NAMES: Final = ("/etc/hosts", "/etc/resolv.conf")
"""Files that Podman makes from the host's own, also for a container without a network."""


class Run(Struct, frozen=True):
    """What one container is for."""

    command: Sequence[str]
    labels: Mapping[str, str]


def container(
    policy: Policy, image: Image, facts: Facts, granted: Granted, run: Run, *, seccomp: str
) -> dict[str, Any]:
    """Return the body of POST /containers/create.

    :param seccomp: the system call list as this daemon wants it: its text, or for Podman its path.
    """
    return {
        "Image": image.id,
        "Entrypoint": list(run.command),
        "Cmd": [],
        "Env": _environment(image, facts),
        "User": f"{granted.uid}:{granted.gid}",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Labels": dict(run.labels),
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,  # the host's end, however it comes, is the end of the guest's input
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGKILL",
        "HostConfig": _host_config(policy, image, facts, granted, seccomp),
    }


def _host_config(
    policy: Policy, image: Image, facts: Facts, granted: Granted, seccomp: str
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Tmpfs": tmpfs(policy, image, granted, facts),
        "Mounts": [_mount(bind) for bind in granted.binds],
        "ShmSize": policy.tmp,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp}"],
        "Memory": policy.memory,
        "MemorySwap": policy.memory,
        "NanoCpus": round(min(policy.cpus, facts.processors or policy.cpus) * 1e9),
        "PidsLimit": host_pids(policy, facts),
        "OomKillDisable": False,
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in _ulimits(policy, facts)],
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Init": False,
        "LogConfig": {"Type": "none", "Config": {}},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": True,
    }
    if facts.podman:  # which copies the host's names and addresses whatever it is asked
        config["SecurityOpt"] += [f"mask={':'.join(HOST_NAMES)}"]
    else:
        config |= {"Dns": ["127.0.0.1"], "DnsSearch": ["."]}
    if facts.podman and facts.rootless:
        config["UsernsMode"] = "keep-id"
    if policy.runtime:
        config["Runtime"] = facts.runtime(policy.runtime)
    return config


def _ulimits(policy: Policy, facts: Facts) -> Iterator[tuple[str, int]]:
    yield "nofile", policy.files
    yield "core", 0
    yield "memlock", LOCKED
    yield "msgqueue", MESSAGE_QUEUES
    if facts.podman and facts.processes is not None:
        yield "nproc", facts.processes  # or it asks for a million, which a daemon of few rights cannot give


def host_pids(policy: Policy, facts: Facts) -> int:
    """Return how many processes and threads the container may have on the host.

    gVisor has some of its own for each inside (6 or so were seen), and dies where it cannot; there
    its own kernel keeps the policy's limit (`kernel.start_message`), and this keeps gVisor's.
    """
    if not facts.is_gvisor(policy.runtime):
        return policy.pids
    return min(GVISOR_SHARE * policy.pids + GVISOR_OWN, MOST_PIDS)


def _environment(image: Image, facts: Facts) -> list[str]:
    """Return what PID 1 needs; a name alone takes a variable of the image away."""
    taken = [name for name in image.environment if name not in {"PATH", "LANG"}]
    return [
        f"PATH={image.path}",
        "LANG=C.UTF-8",
        *(f"{name}=" if facts.podman else name for name in sorted(taken)),
    ]


def tmpfs(policy: Policy, image: Image, granted: Granted, facts: Facts) -> dict[str, str]:
    """Return the sized directories in memory and their mount options.

    They belong to who runs inside: where the image has such a directory, runc gives them its mode.
    """
    run = "noexec" if policy.profile == "strict" else "exec"
    own = "U,notmpcopyup" if facts.podman else f"uid={granted.uid},gid={granted.gid}"
    kept = f"rw,nosuid,nodev,{run},{own}"
    places = {volume: _options(kept, policy.tmp, 0o1777, facts) for volume in image.volumes}
    for home in CLOSED_HOMES:
        if any(is_below(bind.target, home) for bind in granted.binds):
            places[home] = _options(f"ro,nosuid,nodev,noexec,{own}", 64 * KiB, 0o755, facts)
    if facts.podman:  # which adds these two, with no limit but memory's
        places["/var/tmp"] = _options(kept, policy.tmp, 0o1777, facts)  # noqa: S108 - a path inside
        places["/run"] = _options("rw,nosuid,nodev,noexec", RUNTIME_SIZE, 0o755, facts)
    return places | {
        TEMPORARY: _options(kept, policy.tmp, 0o1777, facts),
        HOME: _options(kept, policy.tmp, 0o700, facts),
        RUNTIME: _options(f"rw,nosuid,nodev,noexec,{own}", RUNTIME_SIZE, 0o700, facts),
    }


def _options(flags: str, size: int, mode: int, facts: Facts) -> str:
    options = f"{flags},size={size},mode={mode:o}"
    if facts.podman:
        return options  # it knows no nr_inodes; Linux takes half as many as memory has pages
    return f"{options},nr_inodes={size // PER_FILE}"


def _mount(bind: Bind) -> dict[str, Any]:
    """Return a mount of one file system: what is mounted below it would be writable, whatever is asked."""
    return {
        "Type": "bind",
        "Source": bind.source,
        "Target": bind.target,
        "ReadOnly": not bind.writable,
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }
