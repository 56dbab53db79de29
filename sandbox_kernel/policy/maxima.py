"""What an administrator allows at most, whoever asks.

A value that somebody asked for and that is above its maximum is refused, by name: a notebook
that quietly got less than it asked for fails later and elsewhere. A value that nobody asked
for (a field default, a profile) is lowered to the maximum: else a maximum below a default
would break every plain launch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy.fields import KINDS, WORKSPACE_MODES, split_mount
from sandbox_kernel.policy.names import quoted, refuse_unknown, spelled
from sandbox_kernel.policy.units import UnusableError

_BOUNDED: Final = {
    f"max_{name}": name
    for name in (
        "memory",
        "cpus",
        "pids",
        "tmp",
        "files",
        "workspace",
        "start_timeout",
        "cell_timeout",
        "session_timeout",
        "idle_timeout",
        "output",
        "output_rate",
        "outputs",
        "message",
        "code",
    )
}
_LISTED: Final = {"allowed_mounts": "mounts", "allowed_env": "env"}

MAXIMA_NAMES: Final = (*_BOUNDED, *_LISTED)
"""All names a maximum may have. `max_workspace` counts none < ro < rw; `allowed_mounts` names
trees, in which every mount must lie, with the mode granted there; `allowed_env` names variables."""


@dataclass(frozen=True, slots=True)
class Maxima:
    """The bounds an administrator set, by policy field; a field without one is not bound."""

    bounds: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    source: str = "{field}"

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], *, source: str = "{field}") -> "Maxima":
        """Return the maxima that these settings name; None leaves a field unbound.

        :raises PolicyError: a name is not known, or a value not usable for its field.
        """
        refuse_unknown(settings, MAXIMA_NAMES, source)
        bounds = {}
        for name, written in settings.items():
            field_name = _BOUNDED.get(name) or _LISTED[name]
            if written is None:
                continue
            try:
                bounds[field_name] = KINDS[field_name].read(written)
            except UnusableError as refusal:
                raise PolicyError(f"{spelled(source, name)}: {quoted(written)} {refusal}.") from None
        return cls(
            MappingProxyType({name: bound for name, bound in bounds.items() if bound is not None}), source
        )

    def lowered(self, name: str, value: Any) -> Any:
        """Return a value that nobody asked for, lowered to what is allowed."""
        if name not in self.bounds or self._allows(name, value):
            return value
        if name in _LISTED.values():
            return tuple(entry for entry in value if self._allows(name, (entry,)))
        return self.bounds[name]

    def require(self, name: str, value: Any, asked: str) -> None:
        """Refuse a value that was asked for and is more than is allowed.

        :raises PolicyError: names the request and the maximum.
        """
        if name not in self.bounds or self._allows(name, value):
            return
        show = KINDS[name].show
        limit = next(key for key, of in {**_BOUNDED, **_LISTED}.items() if of == name)
        allowed = f"{'at most ' if limit in _BOUNDED else 'only '}{show(self.bounds[name])}"
        where = spelled(self.source, limit)
        raise PolicyError(f"{asked} asks for {show(value)}; the administrator allows {allowed} ({where}).")

    def _allows(self, name: str, value: Any) -> bool:
        bound = self.bounds[name]
        match name:
            case "workspace":
                return WORKSPACE_MODES.index(value) <= WORKSPACE_MODES.index(bound)
            case "env":
                return set(value) <= set(bound)
            case "mounts":
                return all(any(_within(entry, tree) for tree in bound) for entry in value)
            case "cell_timeout" | "session_timeout" | "idle_timeout" | "output_rate":
                return value is not None and value <= bound
            case _:
                return bool(value <= bound)


def _within(entry: str, tree: str) -> bool:
    """Tell whether a mount lies in an allowed tree and asks for no more than is granted there.

    Links count as what they lead to, or a link in an allowed tree would lead out of it.
    """
    asked = split_mount(entry)
    return within_trees(asked.path.resolve(), asked.mode, (tree,))


def within_trees(real: Path, mode: str, trees: Iterable[str]) -> bool:
    """Tell whether a path without links lies in an allowed tree that may be shared in this mode."""
    return any(
        real.is_relative_to(allowed.path.resolve()) and (allowed.mode == "rw" or mode == "ro")
        for allowed in map(split_mount, trees)
    )
