"""The environment that a kernel starts with: built from nothing, never filtered from ours.

A list of what to remove would always lack the next secret, so the order is: what a program
needs in order to run, what the policy lets in by name, what the launch grants. Nothing here
reads the environment of this process; the caller hands it over.
"""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.policy import Policy

USER: Final = "sandbox"
HOME: Final = "/home/sandbox"
TEMPORARY: Final = "/tmp"  # noqa: S108 - a path inside the sandbox, on its own tmpfs
RUNTIME: Final = "/run/sandbox/runtime"
"""A small private directory for the connection file and the kernel's own sockets."""

NEVER: Final = frozenset({"JPY_PARENT_PID", "JPY_SESSION_NAME"})
"""Jupyter's own notes to its kernels: with our parent's pid, ipykernel takes itself for an orphan."""

OURS: Final = frozenset({"IPYTHONDIR"})
"""Where the guest writes ipykernel's profile: never to a folder of the host's."""

OFFLINE: Final = {
    # What pip prints first is where it looks: the one place where it can be told to say why it finds nothing.
    "PIP_INDEX_URL": "https://a-sandbox-has-no-network.invalid/install-packages-outside-of-it",
    "PIP_RETRIES": "0",  # else it waits eight seconds for a network to come up
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_OFFLINE": "1",  # uv has words of its own for it
}
"""What makes installers say at once that they cannot reach anything; a policy's `env` may name others."""

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "PYTHON_CPU_COUNT",
)
"""What numerical libraries read; left alone they start a thread for each CPU of the host."""


def kernel_environment(
    policy: Policy, launch: Launch, host: Mapping[str, str], *, user_base: str | None = None
) -> dict[str, str]:
    """Return the kernel's whole environment.

    `host` is where the variables that `policy.env` names are taken from; `user_base` is the
    directory of the user's own packages (``pip install --user``), where the interpreter uses one.
    """
    environment = _base(launch.argv[0]) | OFFLINE | _threads(policy.cpus)
    if user_base is not None:
        environment["PYTHONUSERBASE"] = user_base
    environment |= {name: host[name] for name in policy.env if name in host and name not in OURS}
    environment |= {name: value for name, value in launch.env.items() if name not in OURS}
    return {name: value for name, value in environment.items() if name not in NEVER}


def _base(interpreter: str) -> dict[str, str]:
    own = str(PurePosixPath(interpreter).parent)
    system = ["/usr/local/bin", "/usr/bin", "/bin"]
    first = [own] if own.startswith("/") and own not in system else []
    return {
        "PATH": ":".join([*first, *system]),
        "HOME": HOME,
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "TMPDIR": TEMPORARY,
        "XDG_CACHE_HOME": f"{HOME}/.cache",
        "IPYTHONDIR": f"{HOME}/.ipython",
        "MPLCONFIGDIR": f"{HOME}/.config/matplotlib",
        "JUPYTER_CONFIG_DIR": f"{HOME}/.jupyter",
        "JUPYTER_DATA_DIR": f"{HOME}/.local/share/jupyter",
        "JUPYTER_RUNTIME_DIR": f"{HOME}/.local/share/jupyter/runtime",
    }


def _threads(cpus: float) -> dict[str, str]:
    count = str(max(1, math.ceil(cpus)))
    return dict.fromkeys(_THREADS, count)
