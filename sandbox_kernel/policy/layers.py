"""Settings from several places become one policy's values.

Layers come weakest first; a stronger one wins field by field. A layer that names a profile
starts afresh from it: what weaker layers said is dropped, because "strict" means strict,
whatever a configuration file elsewhere says about memory. Within a layer the profile comes
first and the single values after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy.fields import KINDS, Choice
from sandbox_kernel.policy.maxima import Maxima
from sandbox_kernel.policy.names import quoted_for, refuse_unknown, spelled
from sandbox_kernel.policy.profiles import PROFILES
from sandbox_kernel.policy.units import UnusableError

ENVIRONMENT_PREFIX: Final = "SANDBOX_KERNEL_"
"""One variable per policy field: SANDBOX_KERNEL_MEMORY, SANDBOX_KERNEL_CELL_TIMEOUT, …"""

FIELD_NAMES: Final = ("profile", *KINDS)
"""All names a setting may have."""

_PROFILE: Final = Choice(tuple(PROFILES))


class Layer(Struct, frozen=True):
    """What one place says about a policy, and how that place spells a field (see `names`)."""

    settings: Mapping[str, object]
    source: str = "{field}"


def layer_from_environment(environ: Mapping[str, str]) -> Layer:
    """Return the layer that SANDBOX_KERNEL_* variables form.

    :raises PolicyError: one of them is not a field in capitals.
    """
    settings = {
        name.removeprefix(ENVIRONMENT_PREFIX): value
        for name, value in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    refuse_unknown(settings, [name.upper() for name in FIELD_NAMES], ENVIRONMENT_PREFIX + "{field}")
    lowered = {name.lower(): value for name, value in settings.items()}
    return Layer(lowered, ENVIRONMENT_PREFIX + "{FIELD}")


def resolve(layers: Sequence[Layer], *, defaults: Mapping[str, Any], maxima: Maxima) -> dict[str, Any]:
    """Return a value for every field, within the maxima.

    :raises PolicyError: a name is not known, a value is not usable, or above its maximum.
    """
    profile = "default"
    asked: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        refuse_unknown(layer.settings, FIELD_NAMES, layer.source)
        if "profile" in layer.settings:
            profile = _read(_PROFILE, layer, "profile")
            asked.clear()
        for name in layer.settings.keys() - {"profile"}:
            asked[name] = (_read(KINDS[name], layer, name), spelled(layer.source, name))
    start = {**defaults, **PROFILES[profile], "profile": profile}
    values = {name: maxima.lowered(name, value) for name, value in start.items()}
    for name, (value, spelling) in asked.items():
        maxima.require(name, value, spelling)
        values[name] = value
    return values


def _read(kind: Any, layer: Layer, name: str) -> Any:
    written = layer.settings[name]
    try:
        return kind.read(written)
    except UnusableError as refusal:
        raise PolicyError(f"{spelled(layer.source, name)}: {quoted_for(name, written)} {refusal}.") from None
