"""What `pytest --sandbox` does: kernels that name no other way start in sandboxes, until the session ends.

And the sandboxes of tests that ask for one.

Whatever starts kernels in this process, in a worker of pytest-xdist or in a program that a test starts,
asks jupyter_client, and that asks a variable of the environment. So the variable is set, and taken
back; nothing of nbmake, nbval or testbook is touched.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from sandbox_kernel.errors import LimitUnenforceableError, SandboxError
from sandbox_kernel.host.engines import choose
from sandbox_kernel.host.engines.base import name_of_wall
from sandbox_kernel.policy import ENVIRONMENT_PREFIX, PROFILES, Policy, policy_from_environment
from sandbox_kernel.session import Sandbox

PROVISIONER: Final = "sandbox-provisioner"
DEFAULT_PROVISIONER: Final = "JUPYTER_DEFAULT_PROVISIONER_NAME"
"""jupyter_client's variable: the provisioner of kernelspecs that name none."""
_TOLD: Final = {"memory": "memory", "cpus": "CPUs", "network": "network", "workspace": "workspace"}
"""What the header says of a policy, and in which words."""


class Sandboxing:
    """The state of one session: set when it is made, taken back when pytest lets go of its configuration."""

    def __init__(self, config: pytest.Config) -> None:
        """Have kernels sandboxed from here on.

        :raises pytest.UsageError: there is no such profile, or no wall for the policy; nothing is changed.
        """
        profile = str(config.getoption("sandbox"))
        if profile and profile not in PROFILES:
            raise pytest.UsageError(_no_profile(profile))
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        if profile:
            patch.setenv(f"{ENVIRONMENT_PREFIX}PROFILE", profile)
        try:
            self._policy = policy_from_environment(os.environ)
            self._wall = "" if hasattr(config, "workerinput") else _wall(self._policy)
        except SandboxError as error:
            raise pytest.UsageError(f"--sandbox: {error}") from None
        patch.setenv(DEFAULT_PROVISIONER, PROVISIONER)
        # The factory reads the variable once, when it is first asked for anything; it may have been.
        factory = KernelProvisionerFactory.instance()
        patch.setattr(factory, "default_provisioner_name", PROVISIONER)

    def pytest_report_header(self) -> list[str]:
        """Say what stands around the kernels, and around which nothing does."""
        told = self._policy.describe()
        values = ", ".join(f"{word} {told[name]}" for name, word in _TOLD.items())
        others = [f"sandbox: kernel {name!r} {why}" for name, why in _others().items()]
        return [f"sandbox: {self._wall}, profile {told['profile']} ({values})", *others]


class Sandboxes(ExitStack):
    """The sandboxes of one test."""

    def make(self, policy: Policy | str | None = None, **settings: Any) -> Sandbox:
        """Return a sandbox that has started; it ends with the test.

        :raises SandboxError: its policy is not usable, or it did not come up.
        """
        if policy is None and not settings.keys() - {"directory"}:
            policy = policy_from_environment(os.environ)
        return self.enter_context(Sandbox(policy, **settings))


def _no_profile(name: str) -> str:
    there_are = " and ".join(PROFILES)
    if Path(name.partition("::")[0]).exists():
        return f"--sandbox takes what follows it for a profile; write --sandbox=default {name}."
    return f"--sandbox: there is no profile {name!r}; there are {there_are}."


def _wall(policy: Policy) -> str:
    """Return what will stand around each kernel, for people.

    :raises SandboxError: this machine cannot build it, or keep one of the limits.
    """
    engine = choose(policy).engine
    for entry in engine.check(policy):
        if entry.by is None:
            raise LimitUnenforceableError(f"Nothing here enforces {entry.limit}: {entry.detail}")
    return name_of_wall(engine.name, policy)


def _others() -> dict[str, str]:
    """Return the installed kernels that `--sandbox` says nothing of, and why: a notebook may name them."""
    found = {}
    for name, entry in KernelSpecManager().get_all_specs().items():
        stanza = entry["spec"].get("metadata", {}).get("kernel_provisioner", {})
        provisioner = stanza.get("provisioner_name") if isinstance(stanza, dict) else None
        if provisioner not in (None, PROVISIONER):
            found[name] = f"is started by {str(provisioner)!r} and stays outside"
        elif provisioner and stanza.get("config"):
            found[name] = "keeps the policy of its own kernelspec"
    return found
