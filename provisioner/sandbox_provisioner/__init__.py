"""The plug: sandboxed kernels for everything that is built on jupyter_client.

`SandboxProvisioner` is what jupyter_client's entry point names. ``python -E -P -m
sandbox_provisioner`` opens the same sandbox for programs that only run a kernelspec's argv.

The class is loaded when it is asked for: the launcher does without jupyter_client.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox_provisioner.provisioner import SandboxProvisioner

__all__ = ["SandboxProvisioner"]


def __getattr__(name: str) -> Any:
    if name == "SandboxProvisioner":
        from sandbox_provisioner.provisioner import SandboxProvisioner  # noqa: PLC0415 - see above

        return SandboxProvisioner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
