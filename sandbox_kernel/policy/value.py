"""The policy itself."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import asdict, force_setattr

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy.fields import (
    KINDS,
    EngineName,
    HtmlMode,
    Mount,
    NetworkName,
    WorkspaceMode,
    split_mount,
)
from sandbox_kernel.policy.layers import FIELD_NAMES, Layer, layer_from_environment, resolve
from sandbox_kernel.policy.maxima import Maxima, within_trees
from sandbox_kernel.policy.names import quoted, quoted_for, refuse_unknown
from sandbox_kernel.policy.profiles import PROFILES
from sandbox_kernel.policy.secrets import Secret, split_secret
from sandbox_kernel.policy.units import MiB, UnusableError


class Policy(Struct, frozen=True, kw_only=True):
    """Everything a sandbox is allowed; sizes in bytes, times in seconds.

    Complete and checked: an instance that exists is usable. It may be made of texts as well, as settings are:
    `Policy(memory="512m", cell_timeout="2m")`. `replace` gives the same with other values.

    :raises PolicyError: on construction, when a value is not of its field's kind or out of bounds, or a
        profile is named without its values.
    """

    profile: str = "default"
    """The profile that the other values started from, as `from_settings` has them do."""
    engine: EngineName = "auto"
    """How the wall is built; "auto" takes what this machine can do best."""
    image: str | None = None
    """The container's image; None is ours, with a small Python. It is never pulled."""
    runtime: str | None = None
    """What runs the container: gvisor, kata, or as the daemon names it; None is the daemon's default."""
    memory: int = 1024 * MiB
    """All processes together, swap included. One GiB holds an ordinary pandas analysis."""
    cpus: float = 1.0
    """CPU seconds per second, over all processes."""
    pids: int = 256
    """Processes and threads. Numerical libraries start a thread per CPU, test runners many."""
    tmp: int = 256 * MiB
    """The temporary directory, the home directory and /dev/shm, each; held in memory, and counted as such."""
    files: int = 1024
    """Open files of each process: what most systems give a login shell."""
    workspace: WorkspaceMode = "ro"
    """How the notebook's directory is shared: not at all, to read, or to write as well."""
    network: NetworkName = "none"
    """Nothing but the loopback interface."""
    mounts: tuple[str, ...] = ()
    """More paths of the host that are visible inside, each "PATH:ro" or "PATH:rw"."""
    env: tuple[str, ...] = ()
    """Names of the host's environment variables that the kernel may see."""
    secrets: tuple[str, ...] = ()
    """Secrets that the kernel gets and that are masked in what it says; names and sources, never values."""
    preload: tuple[str, ...] = ()
    """Modules that a kernel has imported before its first cell. Where kernels are forked (bubblewrap) they
    are the host's own Python's, which imports them outside of any sandbox, once."""
    start_timeout: float = 60.0
    """Longest start of a kernel, until it answers: what jupyter_client itself waits."""
    cell_timeout: float | None = None
    """Longest run of one cell. None by default: people's computations are long."""
    session_timeout: float | None = None
    """Longest life of one kernel."""
    idle_timeout: float | None = None
    """How long a kernel may live on with no cell running and no client asking for anything."""
    output: int = 256 * MiB
    """What one cell may send to clients; the rest is dropped, and said to be."""
    output_rate: int | None = None
    """What a kernel may send in a second, on average over ten, whatever its cells may send in all.
    None by default: a cell that prints its results prints them as fast as it can."""
    outputs: int = 10_000
    """Outputs of one cell, as a notebook holds them: each is an element of somebody's page."""
    message: int = 128 * MiB
    """Longest single message to clients: what a host has to hold, and to read, in one piece."""
    html: HtmlMode = "isolate"
    """What becomes of output that could act in the reader's page: shown in a frame of its own that the page
    is out of reach of, stripped of all that acts, or left as it came, as of a kernel that is trusted."""
    code: int = 16 * MiB
    """Longest piece of code that is passed in."""
    allowed_mounts: tuple[str, ...] | None = None
    """No setting: the trees in which an administrator lets mounts lie, None where that is not bound.
    Engines ask `may_mount` about what they opened: a link may have been turned since this was made."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not isinstance(self.profile, str) or not self.profile:
            raise PolicyError(f"Policy.profile is {quoted(self.profile)}, which is not a name.")
        for name, kind in KINDS.items():
            value = getattr(self, name)
            try:
                force_setattr(self, name, kind.read(value))
            except UnusableError as refusal:
                raise PolicyError(f"Policy.{name}: {quoted_for(name, value)} {refusal}.") from None
        started = PROFILES.get(self.profile)
        if started and not any(getattr(self, name) == value for name, value in started.items()):
            raise PolicyError(
                f"Policy.profile is {quoted(self.profile)}, but no value is that profile's: its name alone "
                f'sets none. Policy.from_settings({{"profile": "{self.profile}", …}}) begins with them.'
            )
        for name in ("image", "runtime"):
            if self.engine == "bubblewrap" and getattr(self, name):
                raise PolicyError(
                    f"'{name}' is {quoted(getattr(self, name))}, but the engine is bubblewrap, which has no "
                    f"{name}s; leave '{name}' out, or choose the engine docker or podman."
                )

    @classmethod
    def from_layers(
        cls, layers: Sequence[Layer], *, maxima: Maxima | Mapping[str, object] | None = None
    ) -> "Policy":
        """Return the policy that several places together ask for, weakest layer first.

        :raises PolicyError: a name is not known, a value is not usable, or above its maximum.
        """
        bounds = maxima if isinstance(maxima, Maxima) else Maxima.from_settings(maxima or {})
        values = resolve(layers, defaults=_defaults(), maxima=bounds)
        return cls(**{**values, "allowed_mounts": bounds.bounds.get("mounts")})

    @classmethod
    def from_settings(
        cls,
        settings: Mapping[str, object],
        *,
        source: str = "{field}",
        maxima: Maxima | Mapping[str, object] | None = None,
    ) -> "Policy":
        """Return the policy that one place asks for; its profile is applied before its values.

        `source` says where the settings come from, for refusals: "kernelspec sandboxed-python",
        or how a field is spelled there: "SANDBOX_KERNEL_{FIELD}", "--{option}".

        :raises PolicyError: a name is not known, a value is not usable, or above its maximum.
        """
        return cls.from_layers([Layer(settings, source)], maxima=maxima)

    def replace(self, **changes: object) -> "Policy":
        """Return this policy with some values changed.

        :raises PolicyError: a name is not known, or a value is not usable.
        """
        refuse_unknown(changes, FIELD_NAMES, "Policy.replace({field}=…)")
        return structs.replace(self, **changes)

    def granted_mounts(self) -> tuple[Mount, ...]:
        """Return `mounts` as paths and modes."""
        return tuple(split_mount(entry) for entry in self.mounts)

    def has_effects(self) -> bool:
        """Tell whether code can change anything that is still there after its sandbox has ended."""
        return (
            self.workspace == "rw"
            or self.network != "none"
            or any(mount.mode == "rw" for mount in self.granted_mounts())
        )

    def granted_secrets(self) -> tuple[Secret, ...]:
        """Return `secrets` as their parts."""
        return tuple(split_secret(entry) for entry in self.secrets)

    def may_mount(self, real: str, *, writable: bool) -> bool:
        """Tell whether a directory or file, by its path without links, may be mounted so."""
        trees = self.allowed_mounts
        return trees is None or within_trees(Path(real), "rw" if writable else "ro", trees)

    def to_dict(self) -> dict[str, Any]:
        """Return every setting as JSON has it (bytes, seconds, null); `from_settings` takes it back."""
        values = {name: getattr(self, name) for name in FIELD_NAMES}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def describe(self) -> dict[str, str]:
        """Return every field as people read it: {"memory": "512 MiB", "cell_timeout": "none", …}."""
        shown = {name: kind.show(getattr(self, name)) for name, kind in KINDS.items()}
        return {"profile": self.profile, **shown}


def policy_from_environment(
    environ: Mapping[str, str], *, maxima: Maxima | Mapping[str, object] | None = None
) -> Policy:
    """Return the policy that SANDBOX_KERNEL_* variables ask for.

    :raises PolicyError: as `Policy.from_settings`; every unknown SANDBOX_KERNEL_* is refused.
    """
    return Policy.from_layers([layer_from_environment(environ)], maxima=maxima)


@cache
def _defaults() -> Mapping[str, Any]:
    """Return what every policy begins with, by field."""
    return asdict(Policy())
