"""The bubblewrap program on this machine: where it is, what it can, and whether it may.

Having the program is not enough: distributions, containers and administrators forbid user
namespaces in several ways. So it is run once, with everything a sandbox needs around
`true`, and its complaint is turned into a sentence that says what to do.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.bubblewrap.identity import Identity

USUAL: Final = ("/usr/bin/bwrap", "/usr/local/bin/bwrap")
"""Looked at before PATH, on which directories may be that others write to."""

NEEDED: Final = ("--size", "--as-pid-1", "--unshare-cgroup-try", "--remount-ro", "--clearenv", "--perms")
"""Options without which there is no wall worth the name; --size is the youngest (0.7)."""

PATIENCE: Final = 20.0
"""Seconds for the trial, which takes milliseconds."""

_INSTALL = "install it with `apt install bubblewrap` (Fedora: `dnf install bubblewrap`)"

_FORBIDDEN = (
    "This machine does not let ordinary users make namespaces; an administrator can allow it with "
    "`sysctl kernel.unprivileged_userns_clone=1` (in a container: run the container with a seccomp "
    "profile that allows it)."
)
_APPARMOR = (
    "AppArmor does not let bubblewrap use user namespaces here; an administrator can allow it with "
    "`apt install apparmor-profiles && ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
    "/etc/apparmor.d/ && systemctl reload apparmor`, or for every program with "
    "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
)
_USED_UP = (
    "The number of user namespaces is limited to none, or used up; an administrator can raise it with "
    "`sysctl user.max_user_namespaces=10000`."
)
_COVERED = (
    "A fresh /proc cannot be mounted here: this seems to be a container with parts of /proc covered; "
    "run that container with `--security-opt systempaths=unconfined`."
)
_COMPLAINTS: Final = {
    "No permissions to create new namespace": _FORBIDDEN,
    "Creating new namespace failed: Operation not permitted": _FORBIDDEN,
    "setting up uid map": _APPARMOR,
    "RTM_NEWADDR": _APPARMOR,
    "max_*_namespaces": _USED_UP,
    "Creating new namespace failed: No space left": _USED_UP,
    "mount proc": _COVERED,
}
"""What bubblewrap says, and what that means to the person at the keyboard."""


class Bubblewrap(Struct, frozen=True):
    """A bubblewrap that was tried out."""

    path: str
    version: str
    options: frozenset[str]
    nested: bool
    """Whether it forbids user namespaces inside by a limit of the kernel's (--disable-userns)."""
    cgroup: bool
    """Whether the sandbox gets a cgroup namespace."""

    def walls(self) -> list[str]:
        """Return the options that make the namespaces and drop all privileges."""
        return walls(nested=self.nested, cgroup=self.cgroup)


def walls(*, nested: bool, cgroup: bool) -> list[str]:
    """Return the options that make the namespaces and drop all privileges."""
    kinds = ["user", "ipc", "pid", "net", "uts", *(["cgroup"] if cgroup else [])]
    options = [f"--unshare-{kind}" for kind in kinds] + (["--disable-userns"] if nested else [])
    return [*options, "--new-session", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"]


def find_bubblewrap(identity: Identity) -> Bubblewrap:
    """Return this machine's bubblewrap, tried out once per process and version of the file.

    :raises EngineUnavailableError: it is missing, too old, or not permitted; says what to do.
    """
    usual = (path for path in USUAL if os.access(path, os.X_OK))
    found = next(usual, None) or shutil.which("bwrap")
    if found is None:
        raise EngineUnavailableError(f"Bubblewrap is not installed: {_INSTALL}.")
    path = Path(found).absolute()
    return _try_out(str(path), path.stat().st_mtime_ns, identity)


@cache
def _try_out(path: str, _changed: int, identity: Identity) -> Bubblewrap:
    version = _ask(path, "--version").split()[-1]
    options = frozenset(word for word in _ask(path, "--help").split() if word.startswith("--"))
    missing = [option for option in NEEDED if option not in options]
    if missing:
        raise EngineUnavailableError(
            f"Bubblewrap {version} at {path} lacks {', '.join(missing)}; "
            f"it is too old: 0.7 or later is needed."
        )
    complaint = ""
    for nested, cgroup in ((True, True), (False, True), (True, False), (False, False)):
        if nested and "--disable-userns" not in options:
            continue
        said = _run_trial(path, walls(nested=nested, cgroup=cgroup), identity)
        if said is None:
            return Bubblewrap(path, version, options, nested, cgroup)
        complaint = complaint or said
    raise EngineUnavailableError(_explain(complaint))


def _ask(path: str, question: str) -> str:
    try:
        done = subprocess.run(
            [path, question], capture_output=True, text=True, check=True, timeout=PATIENCE, env={}
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineUnavailableError(f"Bubblewrap at {path} does not run: {error}") from error
    return done.stdout


def _run_trial(path: str, options: list[str], identity: Identity) -> str | None:
    """Return what bubblewrap complains about, or None when all went well."""
    aliases = (name for name in ("/bin", "/lib", "/lib64", "/nix", "/gnu") if Path(name).exists())
    shown = [word for name in ("/usr", *aliases) for word in ("--ro-bind", name, name)]
    true = os.path.realpath(shutil.which("true", path="/usr/bin:/bin") or shutil.which("true") or "/bin/true")
    command = [path, *options, *shown, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/", "--", true]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env={}, cwd="/", check=False,
            stdin=subprocess.DEVNULL, **identity.subprocess_options(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def _explain(complaint: str) -> str:
    for sign, sentence in _COMPLAINTS.items():
        if sign in complaint:
            return f"{sentence} (Bubblewrap said: {complaint})"
    return f"Bubblewrap cannot build a sandbox here. It said: {complaint}"
