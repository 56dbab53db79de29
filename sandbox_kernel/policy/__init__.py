"""What one sandbox may do: a frozen value, and the only way in from what people write.

Rules of this package:

- A policy is complete and checked the moment it exists: `Policy(memory=-1)` refuses, so no
  code behind it checks again.
- Settings come in layers (a kernelspec, the environment, an application's configuration, a
  command line). A layer with a name or a value that is not understood refuses the whole
  policy: a misspelt limit must never become no limit.
- Nothing means "unlimited" but the word "none", and only for deadlines.
- Administrators' maxima are not a layer: they bind what all layers together ask for.

`units` reads and writes sizes and times, `fields` says what each field accepts, `names` words
the refusals, `profiles` has the starting points, `maxima` binds, `layers` combines, `value` is
the result.
"""

from sandbox_kernel.policy.fields import Mount, WorkspaceMode
from sandbox_kernel.policy.layers import ENVIRONMENT_PREFIX, FIELD_NAMES, Layer, layer_from_environment
from sandbox_kernel.policy.maxima import MAXIMA_NAMES, Maxima
from sandbox_kernel.policy.names import refuse_unknown, spelled
from sandbox_kernel.policy.profiles import PROFILES
from sandbox_kernel.policy.secrets import Secret
from sandbox_kernel.policy.units import GiB, KiB, MiB, format_seconds, format_size
from sandbox_kernel.policy.value import Policy, policy_from_environment

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FIELD_NAMES",
    "MAXIMA_NAMES",
    "PROFILES",
    "GiB",
    "KiB",
    "Layer",
    "Maxima",
    "MiB",
    "Mount",
    "Policy",
    "Secret",
    "WorkspaceMode",
    "format_seconds",
    "format_size",
    "layer_from_environment",
    "policy_from_environment",
    "refuse_unknown",
    "spelled",
]
