"""What a sandbox is asked for: keyword arguments, a policy or a profile's name → a kernelspec's settings.

The settings travel in a kernelspec of the sandbox's own, never in this process's environment: two
sandboxes of one program may differ. They always name a profile and so start afresh from it: a program
gets the same wherever it runs, whatever SANDBOX_KERNEL_* variables and Jupyter's configuration say
there of kernels that bring no policy. Administrators' maxima bind them as they bind any kernelspec.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.notebooks.specs import settings_of
from sandbox_kernel.policy import Policy

_SOURCE: Final = "Sandbox({field}=…)"


def settings_for(
    policy: Policy | str | None, given: Mapping[str, object], directory: Path | None
) -> dict[str, object]:
    """Return what the kernelspec of such a sandbox says.

    :param policy: where the rest starts from: a policy, or the name of a profile.
    :raises PolicyError: a name is not known, or a value is not usable.
    """
    settings = {"profile": "default", **_base(policy, given), **given}
    wanted = Policy.from_settings(settings, source=_SOURCE)
    if directory is None:
        if given.get("workspace", "none") != "none":
            raise PolicyError(
                f"Sandbox(workspace={wanted.workspace!r}) says how a directory is shared, but names none; "
                "add directory=…."
            )
        settings["workspace"] = "none"
    return settings


def in_callers_words(error: PolicyError, kernel: str) -> PolicyError:
    """Return a refusal of the kernelspec's settings as one of the arguments that they were."""
    words = re.sub(rf'"(\w+)" in kernelspec {re.escape(kernel)}', r"Sandbox(\1=…)", str(error))
    return PolicyError(words)


def _base(policy: Policy | str | None, given: Mapping[str, object]) -> Mapping[str, Any]:
    if policy is None:
        return {}
    if "profile" in given:
        raise PolicyError("Sandbox(…, profile=…) has two starting points; leave one of them out.")
    if isinstance(policy, Policy):
        return settings_of(policy)
    return {"profile": policy}
