"""Named starting points.

"default" is for notebooks that you might run: everything the field defaults grant.
"strict" is for code of strangers that should answer quickly: nothing of the host, little of
everything, two seconds for a cell and ten minutes for all: a cell's deadline ends with the
cell, and what code left running in threads or processes goes on until the session's.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sandbox_kernel.policy.units import KiB, MiB

PROFILES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "default": MappingProxyType({}),
        "strict": MappingProxyType(
            {
                "memory": 256 * MiB,
                "cpus": 0.5,
                "pids": 100,
                "tmp": 64 * MiB,
                "files": 256,
                "workspace": "none",
                "cell_timeout": 2.0,
                "session_timeout": 600.0,
                "idle_timeout": 300.0,
                "output": 1 * MiB,
                "output_rate": 1 * MiB,
                "outputs": 1000,
                "message": 1 * MiB,
                "html": "strip",
                "code": 100 * KiB,
            }
        ),
    }
)
"""Profile name → the values in which it differs from the field defaults."""
