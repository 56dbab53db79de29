"""`sandbox-kernel exec`: any Jupyter program, with every kernel that it starts in a sandbox."""

import os
import shutil
import sys
from pathlib import Path

import click

from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.escape import plain

HELP = """
Run COMMAND with all kernels that it starts in sandboxes.

Works with whatever starts kernels through jupyter_client: papermill, jupyter lab, jupyter execute,
nbconvert, pytest with nbmake, and your own scripts. Kernels that bring a policy of their own keep
it; all others get the one named here.

\b
Examples:
  sandbox-kernel exec -- papermill in.ipynb out.ipynb -k python3
  sandbox-kernel exec --memory 2g --workspace rw -- jupyter lab
  sandbox-kernel exec --profile strict -- pytest --nbmake course/

\b
Exit codes: those of COMMAND; 2 a policy, engine or image that cannot be used; 126 COMMAND may not be
run; 127 it was not found.
"""

CANNOT_RUN, NOT_FOUND = 126, 127


@click.command(
    "exec",
    help=HELP,
    short_help="Run any Jupyter program with all its kernels sandboxed.",
    context_settings={"allow_interspersed_args": False},
)
@policy_options.policy_options
@click.argument("command_line", metavar="COMMAND [ARGUMENT]...", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, *, command_line: tuple[str, ...]) -> int:
    """Set the environment and become the command."""
    from sandbox_kernel.cli import kernels
    from sandbox_kernel.cli.walls import beyond_reach, require_wall

    settings = policy_options.given(ctx)
    policy = policy_options.to_environment(settings)
    if policy.engine != "auto" or policy.image or policy.runtime:  # else the program may need no wall of ours
        with policy_options.naming_options(settings):
            require_wall(policy)
    for sentence in beyond_reach(policy, policy_options.asked()):
        _warn(f"warning: {sentence}")
    kernels.sandbox_all_kernels()
    for spec in kernels.installed():
        if spec.provisioner not in (None, kernels.PROVISIONER):
            _warn(f"kernel {spec.name!r} is started by {spec.provisioner!r} and stays outside the sandbox.")
        elif spec.provisioner and spec.config:
            _warn(f"kernel {spec.name!r} keeps the policy of its own kernelspec.")
    program = _find(command_line[0])
    if program is None:
        _warn(f"there is no command named {command_line[0]!r}.")
        return NOT_FOUND
    try:
        os.execv(program, command_line)  # noqa: S606 -- the user's own command line
    except OSError as error:
        _warn(f"cannot run {command_line[0]!r}: {error.strerror}.")
    return CANNOT_RUN


def _find(name: str) -> str | None:
    """Return the program's path: from PATH, or from beside our own interpreter.

    Environments are often used without being activated; their programs are then not on PATH.
    """
    if "/" in name:
        return name if Path(name).exists() else None
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _warn(sentence: str) -> None:
    sys.stderr.write(f"sandbox-kernel: {plain(sentence)}\n")
    sys.stderr.flush()
