"""What of this machine's own software a sandbox sees, and the synthetic rest.

Rules:

- Programs and libraries of the system are shown read-only and whole: /usr and its old aliases.
  Only the settings below /usr are covered: they are this machine's, and hold its passwords.
- Of /etc only what libraries read and what is nobody's secret. Accounts, host names and the
  resolver are synthetic: the real ones say who else uses this machine and what it talks to.
- /proc is the sandbox's own and read-only throughout: nothing inside needs to write there, and
  what is writable for somebody is a way out (core_pattern, sysrq-trigger, uid_map, oom_score_adj).
  What it tells about the whole machine and no program needs is covered.
- /dev has the harmless devices and terminals of its own. There is no /sys.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.host.engines.bubblewrap.operations import (
    Bind,
    Empty,
    File,
    Fresh,
    Operation,
    ReadOnly,
    Symlink,
    Tmpfs,
)
from sandbox_kernel.host.engines.paths import Link, is_below, is_within
from sandbox_kernel.host.environment import HOME, USER

UID: Final = 1000
"""Who the kernel is inside, user and group, whoever it is outside."""

ALIASES: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
TREES: Final = ("/usr",)
SETTINGS: Final = ("/usr/etc", "/usr/local/etc")
"""Where npm, pip, Jupyter and others look for settings (and tokens) on this machine."""

ETC: Final = (
    "ImageMagick-[67]",
    "OpenCL",
    "alternatives",
    "crypto-policies",
    "fonts",
    "java*-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "pki/ca-trust/extracted",
    "pki/java",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "python3",
    "python3.*",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "texmf",
    "timezone",
)
"""Patterns below /etc. Not among them: shadow, keys, hosts, resolv.conf, machine-id, any tool's settings."""

PROC_FILES: Final = (
    "cmdline",
    "config.gz",
    "diskstats",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "latency_stats",
    "locks",
    "mdstat",
    "modules",
    "pagetypeinfo",
    "partitions",
    "sched_debug",
    "slabinfo",
    "swaps",
    "sysrq-trigger",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
)
PROC_DIRECTORIES: Final = (
    "acpi",
    "asound",
    "bus",
    "driver",
    "dynamic_debug",
    "fs",
    "irq",
    "pressure",
    "scsi",
    "tty",
)

_NAMES: Final = {
    "/etc/passwd": (
        f"root:x:0:0:root:/:/usr/sbin/nologin\n"
        f"{USER}:x:{UID}:{UID}:{USER}:{HOME}:/bin/sh\n"
        f"nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    ),
    "/etc/group": f"root:x:0:\ntty:x:5:\n{USER}:x:{UID}:\nnogroup:x:65534:\n",
    "/etc/hostname": f"{USER}\n",
    "/etc/hosts": f"127.0.0.1 localhost {USER}\n::1 localhost ip6-localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
}


class System(Struct, frozen=True):
    """What this machine has of the above."""

    links: tuple[Link, ...]
    """Links to copy as they are, such as /bin -> usr/bin."""
    files: tuple[tuple[str, str], ...]
    """(where it really is, where it is shown) of files and directories to bind."""
    masked_files: tuple[str, ...]
    masked_directories: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """What of SETTINGS there is, by where it really is."""

    @property
    def trees(self) -> tuple[str, ...]:
        """Return the directories whose whole content is shown."""
        return TREES + tuple(shown for _, shown in self.files if shown in ALIASES)


@cache
def look_at_system() -> System:
    """Return what this machine has; looked up once per process, for it does not change under one."""
    links, files = [], [(tree, tree) for tree in TREES]
    for path in (*(Path(alias) for alias in ALIASES), *_etc()):
        if path.is_symlink() and _is_shown(path.parent / path.readlink()):
            links.append(Link(str(path), str(path.readlink())))
        elif path.exists():
            files.append((os.path.realpath(path), str(path)))
    return System(
        links=tuple(links),
        files=tuple(files),
        masked_files=tuple(str(path) for name in PROC_FILES if _is_open_to_all(path := Path("/proc", name))),
        masked_directories=tuple(
            str(path) for name in PROC_DIRECTORIES if (path := Path("/proc", name)).is_dir()
        ),
        settings=tuple(
            dict.fromkeys(
                real
                for path in SETTINGS
                if Path(real := os.path.realpath(path)).is_dir()
                and any(is_below(real, tree) for tree in TREES)
            )
        ),
    )


def _is_open_to_all(path: Path) -> bool:
    """Say whether more than root may read or write; the rest needs no cover, nobody inside is root."""
    try:
        return bool(path.stat().st_mode & 0o006)
    except OSError:
        return False


def _etc() -> list[Path]:
    return sorted(path for pattern in ETC for path in Path("/etc").glob(pattern))


def _is_shown(target: Path) -> bool:
    return any(is_within(os.path.normpath(target), tree) for tree in TREES)


def software(system: System) -> Iterator[Operation]:
    """Yield the steps that show programs, libraries and what they read below /etc."""
    yield from (Bind(real, shown) for real, shown in system.files)
    yield from (Empty(path, directory=True) for path in system.settings)
    yield from (Symlink(link.path, link.to) for link in system.links)
    yield from (File(path, content) for path, content in _NAMES.items())


def kernel_interfaces(system: System, shared_memory: int) -> Iterator[Operation]:
    """Yield the steps that make /proc and /dev; POSIX shared memory holds so many bytes."""
    yield Fresh("proc", "/proc")
    yield from (Bind("/dev/null", path) for path in system.masked_files)
    yield from (Empty(path, directory=True) for path in system.masked_directories)
    yield ReadOnly("/proc")
    yield Fresh("dev", "/dev")
    yield Tmpfs("/dev/shm", shared_memory, mode=0o1777)  # noqa: S108 - a path inside
    yield ReadOnly("/dev")
