"""What of the host a launch is granted: its directory, and variables by name.

jupyter_server hands every kernel a copy of its own environment, tokens and cloud keys
included. Of that, only what the kernelspec's `env` sets and the policy names goes in.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.policy import Maxima, Policy


def workspace(cwd: str | os.PathLike[str] | None) -> Path:
    """Return the notebook's directory; papermill and others say it by changing into it.

    :raises WorkspaceError: the current directory does not exist any more.
    """
    try:
        return Path(os.path.abspath(cwd or Path.cwd()))  # noqa: PTH100 - the kernel sees the path as written
    except FileNotFoundError:
        raise WorkspaceError("The current directory was removed; change to one that exists.") from None


def granted_environment(
    policy: Policy, spec_env: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of `environment` that the kernelspec sets or the policy names."""
    return {name: environment[name] for name in (*policy.env, *spec_env) if name in environment}


def refuse_ungranted_variables(spec_env: Mapping[str, str], maxima: Maxima) -> None:
    """Refuse a kernelspec's ``"${VARIABLE}"`` for what an administrator does not let in.

    :raises PolicyError: names the variable.
    """
    for name, text in spec_env.items():
        for variable in Template(text).get_identifiers():
            maxima.require("env", (variable,), f'The kernelspec\'s env, for "{name}",')


def resolve_inside(path: str, policy: Policy, directory: Path) -> str | None:
    """Return the host's path of what a kernel sees at `path`; None if it sees nothing of the host there.

    Trees are shared at the same paths, so this is a test of membership. Links are followed
    first: one that leads out of a shared tree leads nowhere inside.
    """
    if path.startswith("~") or "\0" in path:  # its home is not the host's
        return None
    trees = [mount.path for mount in policy.granted_mounts()]
    if policy.workspace != "none":
        trees.append(directory)
    found = (directory / path).resolve()
    shared = any(found.is_relative_to(tree.resolve()) for tree in trees)
    return str(found) if shared and found.exists() else None
