"""Which kernel a command will get, and whether it will be behind a wall."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from traitlets import TraitError

from sandbox_kernel.errors import NotebookError, PolicyError
from sandbox_kernel.policy import Policy

GROUP = "jupyter_client.kernel_provisioners"
PROVISIONER = "sandbox-provisioner"
DEFAULT_PROVISIONER = "JUPYTER_DEFAULT_PROVISIONER_NAME"
"""jupyter_client's variable: the provisioner of kernelspecs that name none."""


_UNREADABLE: Final = (OSError, ValueError, RecursionError, AttributeError, TypeError, TraitError)
"""What jupyter_client raises for a kernel.json that is no JSON, or none of a kernelspec."""


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """What matters here of an installed kernelspec."""

    name: str
    directory: str
    provisioner: str | None
    """The provisioner that it names, None if it leaves that to the default."""
    config: object
    """An object, if Jupyter is to read it; its author may have written anything."""

    @property
    def fixed_policy(self) -> Policy | None:
        """The policy that it carries, which then alone counts; None if it carries none.

        :raises PolicyError: it carries one that is not usable.
        """
        if self.provisioner != PROVISIONER or self.config == {}:
            return None
        if not isinstance(self.config, Mapping):
            raise PolicyError(f"the 'config' in kernelspec {self.name} is no object of settings.")
        return Policy.from_settings(self.config, source=f"kernelspec {self.name}")


def find(name: str) -> KernelSpec:
    """Return the kernelspec of that name.

    :raises NotebookError: there is none, or one that Jupyter cannot read.
    """
    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel as error:
        raise NotebookError(
            f"there is no kernel named {name!r}; `jupyter kernelspec list` shows those that there are, "
            "and `sandbox-kernel install` adds a sandboxed one."
        ) from error
    except _UNREADABLE as error:
        raise NotebookError(
            f"kernel {name!r} cannot be used: Jupyter does not understand its kernel.json ({error!s:.200})."
        ) from error
    return _from(name, spec.resource_dir, spec.metadata)


def language(name: str) -> str | None:
    """Return the language that an installed kernel speaks, None where there is no such kernel."""
    try:
        return str(KernelSpecManager().get_kernel_spec(name).language) or None
    except (NoSuchKernel, *_UNREADABLE):  # ValueError: no name that a kernel could have
        return None


def installed() -> list[KernelSpec]:
    """Return all installed kernelspecs."""
    found = KernelSpecManager().get_all_specs()
    return [
        _from(name, entry["resource_dir"], entry["spec"].get("metadata")) for name, entry in found.items()
    ]


def usual_policy(*, jupyterlab: bool) -> Policy | None:
    """Return what kernels without a policy of their own get, started there or by another program.

    The plug is asked: options and environment are known here, Jupyter's configuration only there. None where
    Jupyter does not see it.

    :raises PolicyError: such kernels do not start; the message says why.
    """
    for entry in entry_points(group=GROUP, name=PROVISIONER):
        policy: Policy = entry.load().usual_policy(jupyterlab=jupyterlab)
        return policy
    return None


def faults() -> list[str]:
    """Return one sentence on each installed kernel of ours that does not start; Jupyter hides some."""
    found = sorted(KernelSpecManager().find_kernel_specs().items())
    return [fault for name, directory in found if (fault := _fault(name, directory)) is not None]


def _fault(name: str, directory: str) -> str | None:
    try:
        text = Path(directory, "kernel.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # nobody can tell whose it is
    if "sandbox" not in text:
        return None
    try:
        content = json.loads(text)
        spec = _from(name, directory, content.get("metadata"))
        if spec.provisioner not in (None, *entry_points(group=GROUP).names):
            return (
                f"kernel {name!r} in {directory} names the provisioner {spec.provisioner!r}, which is not "
                f"installed here; `sandbox-kernel install --name {name} --replace` writes it anew."
            )
        _ = find(name).fixed_policy
    except (PolicyError, NotebookError) as error:
        return f"kernel {name!r} in {directory} does not start: {error}"
    except (AttributeError, ValueError, RecursionError):
        return f"kernel {name!r} in {directory} does not start: its kernel.json is not a JSON object."
    return None


def _from(name: str, directory: str, metadata: object) -> KernelSpec:
    stanza = metadata.get("kernel_provisioner") if isinstance(metadata, Mapping) else None
    stanza = stanza if isinstance(stanza, Mapping) else {}
    config = stanza.get("config", {})
    provisioner = stanza.get("provisioner_name")
    return KernelSpec(
        name,
        directory,
        str(provisioner) if provisioner else None,
        dict(config) if isinstance(config, Mapping) else config,
    )


def sandbox_all_kernels() -> None:
    """Have this process, and its children, start every kernel in a sandbox that names no other way.

    The factory reads the variable once, when it is first asked for anything; it may have been.
    """
    os.environ[DEFAULT_PROVISIONER] = PROVISIONER
    KernelProvisionerFactory.instance().default_provisioner_name = PROVISIONER
