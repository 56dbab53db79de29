"""Settings of the Linux kernel that make an attack on this machine easier, and what to set instead.

Sandboxes do not depend on them: what each would open is refused inside by the filter, or is not
there. They matter for the programs around, and for whoever has got out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM: Final = Path("/proc/sys")
PROCESSOR: Final = Path("/sys/devices/system/cpu/vulnerabilities")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that could be better."""

    name: str
    value: str
    matters: str
    """What it opens, and to whom."""
    advice: str


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    fine: Callable[[int], bool]
    matters: str
    better: str
    absent: str = ""
    """What it is called where the kernel does not have it; empty where that is as good."""


KNOWN: Final = (
    _Known(
        "kernel.unprivileged_bpf_disabled",
        lambda value: value > 0,
        "any user may load programs into the kernel; in sandboxes the call is refused",
        "2",
    ),
    _Known(
        "kernel.kptr_restrict",
        lambda value: value > 0,
        "addresses that the kernel prints for everybody are disguised, not left out",
        "1",
    ),
    _Known(
        "kernel.dmesg_restrict",
        lambda value: value > 0,
        "every user reads the kernel's messages, addresses among them; in sandboxes the call is refused",
        "1",
    ),
    _Known(
        "kernel.perf_event_paranoid",
        lambda value: value >= 2,
        "users may measure the kernel; in sandboxes the call is refused",
        "2",
    ),
    _Known(
        "kernel.randomize_va_space",
        lambda value: value == 2,
        "programs, those in sandboxes too, lie at addresses that can be foretold",
        "2",
    ),
    _Known(
        "vm.unprivileged_userfaultfd",
        lambda value: value == 0,
        "every user may hold up the kernel in the middle of an access; in sandboxes the call is refused",
        "0",
    ),
    _Known(
        "vm.mmap_min_addr",
        lambda value: value >= 4096,
        "memory may lie at address 0, where the kernel's own mistakes lead",
        "65536",
    ),
    _Known(
        "kernel.yama.ptrace_scope",
        lambda value: value > 0,
        "a program of yours that was taken over may read all your others, Jupyter among them; "
        "sandboxes see none of them",
        "1",
        absent="absent",
    ),
    _Known(
        "kernel.apparmor_restrict_unprivileged_userns",
        lambda value: value > 0,
        "every program may make user namespaces, by which many holes were reached; sandboxes may not",
        "1` together with a profile for bubblewrap (`apt install apparmor-profiles",
    ),
    _Known(
        "fs.protected_symlinks",
        lambda value: value > 0,
        "links that others leave in folders for everybody are followed",
        "1",
    ),
    _Known(
        "fs.protected_hardlinks",
        lambda value: value > 0,
        "links to others' files can be left in folders, also by code in a folder shared rw",
        "1",
    ),
)


def weak_settings(root: Path = SYSTEM) -> list[Setting]:
    """Return the settings that could be better; what cannot be read is passed over."""
    found = []
    for known in KNOWN:
        path = root.joinpath(*known.name.split("."))
        value = _number(path)
        if value is None:
            if known.absent and root.is_dir() and not path.exists():
                found.append(Setting(known.name, known.absent, known.matters, "A kernel with Yama."))
        elif not known.fine(value):
            advice = f"`sysctl {known.name}={known.better}`"
            found.append(Setting(known.name, str(value), known.matters, advice))
    return found


def processor_holes(root: Path = PROCESSOR) -> list[str]:
    """Return the names of the processor's holes that the kernel says are open here."""
    try:
        files = sorted(root.iterdir())
    except OSError:
        return []
    return [file.name for file in files if _text(file).startswith("Vulnerable")]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None
