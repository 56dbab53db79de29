"""Kernels by name, with a policy of one run's own.

A kernelspec's `config` is the one place for a policy that belongs to one kernel and not to the
process: traits and SANDBOX_KERNEL_* variables are everybody's. So a run that has a policy of its
own reads the installed kernelspec and writes its policy into the copy that its kernel is started
from. What an administrator allows at most binds it as it binds any kernelspec.
"""

from collections.abc import Mapping
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from traitlets import Dict

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.sandboxed import SandboxedSpecs
from sandbox_kernel.policy import FIELD_NAMES, PROFILES, Policy


def settings_of(policy: Policy | Mapping[str, object]) -> dict[str, Any]:
    """Return what a kernelspec says for this policy.

    It always names a profile, and so starts afresh from that: a program's policy is the same wherever it
    runs, whatever variables and Jupyter's configuration say there of kernels that bring none.

    :raises PolicyError: it has a name that is not known, or a value that is not usable.
    """
    if isinstance(policy, Policy):
        return _differences(policy)
    Policy.from_settings(policy, source="the run's policy")
    return {"profile": "default", **policy}


def _differences(policy: Policy) -> dict[str, object]:
    """Return a policy as settings: its profile, and where it differs from it.

    What only has the profile's value is not asked for: an administrator's maximum lowers it, and
    refuses what was.
    """
    profile = policy.profile if policy.profile in PROFILES else "default"
    start = Policy.from_settings({"profile": profile}).to_dict()
    values = policy.to_dict()
    different = {name: values[name] for name in FIELD_NAMES if values[name] != start[name]}
    return {"profile": profile, **{name: _written(value) for name, value in different.items()}}


def _written(value: object) -> object:
    return "none" if value is None else value


class SpecsWithPolicy(SandboxedSpecs):
    """Reads kernelspecs; each has our provisioner, and these settings."""

    settings = Dict()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernelspec with the policy in it.

        :raises NoSuchKernel: there is none of that name.
        :raises NotebookError: it has a policy of its own, or another provisioner starts its kernel.
        """
        spec = super().get_kernel_spec(kernel_name)
        stanza = spec.metadata["kernel_provisioner"]
        if stanza.get("config"):
            raise NotebookError(
                f"kernel {kernel_name!r} has a policy of its own, which a run's cannot change; leave that "
                "out, or use another kernel."
            )
        own = {**stanza, "config": dict(self.settings)}
        spec.metadata = {**spec.metadata, "kernel_provisioner": own}
        return spec
