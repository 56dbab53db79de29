"""What a daemon says about itself, and about an image, as far as sandboxes depend on it."""

import os
import re
import resource
import socket
import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from msgspec import Struct, field

from sandbox_kernel.host.engines.docker.address import Address

GUEST_LABEL: Final = "org.sandbox-kernel.guest"
"""On our images: which guest they carry."""

FAMILIES: Final = {
    "gvisor": ("runsc", "io.containerd.runsc.v1"),
    "kata": ("kata", "kata-runtime", "io.containerd.kata.v2"),
}
"""What a family of runtimes is called, by itself and by the daemons that have it."""

_SHIM: Final = re.compile(r"io\.containerd\.[\w-]+\.v\d+")
"""A runtime by the name that containerd looks for its program with."""

_SHIMS_SINCE: Final = 23
"""Dockers from this version on take such a name without having been told of it."""

_MOST_PIDS: Final = Path("/proc/sys/kernel/pid_max")
_MOST_FILES: Final = Path("/proc/sys/fs/nr_open")
_CREDENTIALS: Final = struct.Struct("3i")
"""Who is at the other end of a socket: process, user, group (ucred)."""
_CAP_SYS_RESOURCE: Final = 24
_PATIENCE: Final = 5.0
"""Seconds for who has just answered to take one more connection."""
_RIGHTS: Final = re.compile(r"^CapEff:\s*([0-9a-f]+)$", re.MULTILINE)
_OPEN_FILES: Final = re.compile(r"^Max open files\s+\S+\s+(\d+|unlimited)", re.MULTILINE)


class Facts(Struct, frozen=True):
    """One daemon."""

    product: str
    """ "Docker" or "Podman", whatever its socket is called."""
    version: str
    local: bool
    """Whether it is on this machine, so that paths mean the same there."""
    memory: bool
    swap: bool
    pids: bool
    cpus: bool
    seccomp: bool
    rootless: bool
    userns: bool
    """Whether uid 0 inside is another one outside."""
    runtimes: tuple[str, ...]
    default_runtime: str
    processes: int | None
    """What this machine lets one user have, all sandboxes together; None on another machine."""
    processors: int
    """How many there are; a limit beyond is kept by nature, and refused by Docker."""
    cgroups: str
    """The version of control groups: "1" or "2"."""
    files: int | None = None
    """What it can let a process have open; None where it is on another machine, or does not show it."""
    confined: bool = False
    """Whether AppArmor or SELinux confines its containers."""
    components: Mapping[str, str] = field(default_factory=dict)
    """The programs it is made of, and their versions: "runc", "containerd", …"""

    @property
    def podman(self) -> bool:
        """Whether it only speaks Docker's protocol."""
        return self.product == "Podman"

    def runtime(self, wanted: str | None) -> str:
        """Return the runtime that a container gets; gvisor and kata are found by any of their names."""
        if not wanted:
            return self.default_runtime
        family = () if wanted in self.runtimes else FAMILIES.get(wanted, ())
        return next((name for name in family if name in self.runtimes), wanted)

    def has_runtime(self, wanted: str) -> bool:
        """Say whether the daemon knows a runtime, or will look for it by its name."""
        name = self.runtime(wanted)
        by_name = not self.podman and _SHIM.fullmatch(name) and self.major >= _SHIMS_SINCE
        return name in self.runtimes or bool(by_name)

    @property
    def major(self) -> int:
        """Return the first number of the version, 0 where there is none."""
        number = self.version.partition(".")[0]
        return int(number) if number.isascii() and number.isdigit() else 0

    def is_gvisor(self, wanted: str | None) -> bool:
        """Say whether that is gVisor, by the name that it goes by."""
        return _program(self.runtime(wanted)).startswith("runsc")

    def is_kata(self, wanted: str | None) -> bool:
        """Say whether that is Kata Containers, by the name that it goes by."""
        return _program(self.runtime(wanted)).startswith("kata")


def _program(runtime: str) -> str:
    """Return what a runtime is called without its directory, or containerd's words around its name."""
    return PurePosixPath(runtime).name.removeprefix("io.containerd.")


def read_facts(address: Address, version: Mapping[str, Any], info: Mapping[str, Any]) -> Facts:
    """Return the facts from the answers to /version and /info."""
    components = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    host = os.uname()
    same = (info.get("Name"), info.get("KernelVersion")) == (host.nodename, host.release)
    rootless = bool(info.get("Rootless")) or any("rootless" in option for option in options)
    podman = any("Podman" in name for name in components)
    local = address.socket is not None and same
    return Facts(
        product="Podman" if podman else "Docker",
        version=str(version.get("Version", "?")),
        local=local,
        memory=bool(info.get("MemoryLimit")),
        swap=bool(info.get("SwapLimit")),
        pids=bool(info.get("PidsLimit")),
        cpus=bool(info.get("CpuCfsQuota")),
        seccomp=any(option.startswith(("name=seccomp", "seccomp")) for option in options),
        rootless=rootless,
        userns=rootless or any("userns" in option for option in options),
        runtimes=_runtimes(info, look=podman and local),
        default_runtime=str(info.get("DefaultRuntime") or ""),
        processes=_processes() if same else None,
        processors=int(info.get("NCPU") or 0),
        cgroups=str(info.get("CgroupVersion") or "1"),
        files=most_files(address.socket, rootless=rootless) if local and address.socket else None,
        confined=any("apparmor" in option or "selinux" in option for option in options),
        components={
            str(part.get("Name", "")): str(part.get("Version", ""))
            for part in version.get("Components") or ()
        },
    )


def _runtimes(info: Mapping[str, Any], *, look: bool) -> tuple[str, ...]:
    """Return the names of what a daemon can make containers with.

    :param look: leave out what is not where the daemon says: Podman lists all that it has ever heard of.
    """
    told: Mapping[str, Any] = info.get("Runtimes") or {}
    here = (name for name in told if not look or Path((told[name] or {}).get("path") or "/").is_file())
    return tuple(sorted({*here, *({info["DefaultRuntime"]} & told.keys() if look else ())}))


def _processes() -> int:
    most = int(_MOST_PIDS.read_text(encoding="ascii"))
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def most_files(path: str, *, rootless: bool) -> int | None:
    """Return how many files who listens at a socket can let a process have open; None if it is not seen.

    Without the right to raise limits (and in a user namespace it is no such right), that is its own limit.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process = Path("/proc", str(_CREDENTIALS.unpack(peer)[0]))
        status, limits = (process.joinpath(name).read_text("ascii") for name in ("status", "limits"))
        most = int(_MOST_FILES.read_text("ascii"))
    except (OSError, ValueError):
        return None
    rights, own = _RIGHTS.search(status), _OPEN_FILES.search(limits)
    if rights is None or own is None:
        return None
    raises = bool(int(rights[1], 16) >> _CAP_SYS_RESOURCE & 1) and not rootless
    return most if raises or own[1] == "unlimited" else min(most, int(own[1]))


MISLEADING: Final = frozenset({"exitCode", "containerExitCode", "signal", "execID"})
"""What daemons tell of an end, among the container's labels, which come from its image and win."""


class Image(Struct, frozen=True):
    """One image that the daemon has."""

    name: str
    """As it was asked for."""
    id: str
    guest: str
    """The guest that it carries, by its label; empty if none."""
    environment: Mapping[str, str]
    volumes: tuple[str, ...]
    """Directories that would be on the daemon's disk, without a limit, if nothing covered them."""
    misleading: tuple[str, ...] = ()
    """Labels that would be told in the place of how a container has ended."""

    @property
    def path(self) -> str:
        """Where programs are looked for in it."""
        return self.environment.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def read_image(name: str, inspected: Mapping[str, Any]) -> Image:
    """Return the facts from the answer to /images/NAME/json."""
    config: Mapping[str, Any] = inspected.get("Config") or {}
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    labels: Mapping[str, Any] = config.get("Labels") or {}
    return Image(
        name=name,
        id=str(inspected["Id"]),
        guest=str(labels.get(GUEST_LABEL, "")),
        environment={key: value for key, _, value in pairs},
        volumes=tuple(sorted({_cleaned(path) for path in config.get("Volumes") or ()})),
        misleading=tuple(sorted(MISLEADING & labels.keys())),
    )


def _cleaned(path: str) -> str:
    """Return a volume's path as daemons clean it; what covers /data/ by that name covers no volume."""
    return os.path.normpath(f"/{path.lstrip('/')}")
