"""Kernels that start in a sandbox or not at all, whatever stands in their kernelspecs.

Which provisioner starts a kernel whose kernelspec names none is a setting of the whole process, which
has other kernels, perhaps, and other threads. So kernelspecs are completed here as they are read.
"""

from typing import Final

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from sandbox_kernel.errors import NotebookError

PROVISIONER: Final = "sandbox-provisioner"
"""The plug's name among the entry points of jupyter_client."""


class SandboxedSpecs(KernelSpecManager):
    """Reads kernelspecs; each names our provisioner."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernelspec of that name.

        :raises NotebookError: it says that another provisioner starts its kernel.
        :raises NoSuchKernel: there is none.
        """
        spec = super().get_kernel_spec(kernel_name)
        stanza = spec.metadata.get("kernel_provisioner") or {}
        named = stanza.get("provisioner_name") if isinstance(stanza, dict) else stanza
        if named not in (None, PROVISIONER):
            raise NotebookError(
                f"kernel {kernel_name!r} is started by {named!r}, outside any sandbox; use another kernel."
            )
        if named is None:
            spec.metadata = {**spec.metadata, "kernel_provisioner": {"provisioner_name": PROVISIONER}}
        return spec


class SandboxedKernelManager(AsyncKernelManager):
    """Starts kernels in sandboxes.

    :raises NotebookError: when asked for one whose kernelspec has it started otherwise.
    """

    @default("kernel_spec_manager")
    def _sandboxed_specs(self) -> KernelSpecManager:
        return SandboxedSpecs(data_dir=self.data_dir)
