"""What an administrator allows at most, whoever asks.

A value that somebody asked for and that is above its maximum is refused, by name: a notebook
that quietly got less than it asked for fails later and elsewhere. A value that nobody asked
for (a field default, a profile) is lowered to the maximum: else a maximum below a default
would break every plain launch.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, field

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy.fields import HTML_MODES, KINDS, WORKSPACE_MODES, split_mount
from sandbox_kernel.policy.names import quoted_for, refuse_unknown, spelled
from sandbox_kernel.policy.secrets import Secret, split_secret
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
        "html",
        "code",
    )
}
_LISTED: Final = {
    "allowed_mounts": "mounts",
    "allowed_env": "env",
    "allowed_secrets": "secrets",
    "allowed_preload": "preload",
}

MAXIMA_NAMES: Final = (*_BOUNDED, *_LISTED)
"""All names a maximum may have. `max_workspace` counts none < ro < rw, `max_html` strip < isolate < trust;
`allowed_mounts` names trees, in which every mount must lie, with the mode granted there; `allowed_env`
names variables; `allowed_secrets` names secrets, of which only the source counts: what they are called
inside is free; `allowed_preload` names modules.
Without it, `allowed_env` and `allowed_mounts` say which variables and files secrets may come from."""


class Maxima(Struct, frozen=True):
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
                raise PolicyError(
                    f"{spelled(source, name)}: {quoted_for(field_name, written)} {refusal}."
                ) from None
        return cls(
            MappingProxyType({name: bound for name, bound in bounds.items() if bound is not None}), source
        )

    def lowered(self, name: str, value: Any) -> Any:
        """Return a value that nobody asked for, lowered to what is allowed."""
        if self._allows(name, value):
            return value
        if name in _LISTED.values():
            return tuple(entry for entry in value if self._allows(name, (entry,)))
        return self.bounds[name]

    def require(self, name: str, value: Any, asked: str) -> None:
        """Refuse a value that was asked for and is more than is allowed.

        :raises PolicyError: names the request and the maximum.
        """
        if self._allows(name, value):
            return
        show = KINDS[name].show
        bound = self._binding(name, value)
        limit = next(key for key, of in {**_BOUNDED, **_LISTED}.items() if of == bound)
        allowed = f"{'at most ' if limit in _BOUNDED else 'only '}{KINDS[bound].show(self.bounds[bound])}"
        where = spelled(self.source, limit)
        raise PolicyError(f"{asked} asks for {show(value)}; the administrator allows {allowed} ({where}).")

    def _binding(self, name: str, value: Any) -> str:
        """Return the field whose bound a refused value is over: a secret's may be another one's."""
        if name != "secrets" or name in self.bounds:
            return name
        refused = next(one for one in map(split_secret, value) if not self._allows_secret(one))
        return "env" if refused.kind == "env" else "mounts"

    def _allows(self, name: str, value: Any) -> bool:
        if name == "secrets":
            return all(map(self._allows_secret, map(split_secret, value)))
        return name not in self.bounds or self._within_bound(name, value, self.bounds[name])

    @staticmethod
    def _within_bound(name: str, value: Any, bound: Any) -> bool:
        match name:
            case "workspace":
                return WORKSPACE_MODES.index(value) <= WORKSPACE_MODES.index(bound)
            case "html":
                return HTML_MODES.index(value) <= HTML_MODES.index(bound)
            case "env" | "preload":
                return set(value) <= set(bound)
            case "mounts":
                return all(any(_within(entry, tree) for tree in bound) for entry in value)
            case "cell_timeout" | "session_timeout" | "idle_timeout" | "output_rate":
                return value is not None and value <= bound
            case _:
                return bool(value <= bound)

    def _allows_secret(self, secret: Secret) -> bool:
        """Tell whether a secret may be granted: else it would be a way around the bounds of its source."""
        if "secrets" in self.bounds:
            return secret.source in {split_secret(entry).source for entry in self.bounds["secrets"]}
        if secret.kind == "env":
            return "env" not in self.bounds or secret.place in self.bounds["env"]
        trees = self.bounds.get("mounts")
        return trees is None or within_trees(Path(secret.place).resolve(), "ro", trees)


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
