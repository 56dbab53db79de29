"""`sandbox-kernel mcp`: a sandbox for language models, over the Model Context Protocol."""

from pathlib import Path

import click

from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.imports import for_notebooks

HELP = """
Serve the Model Context Protocol over standard input and output: a program that talks to a language
model starts this, and the model runs Python in a sandbox.

Each session has a sandbox of its own, started by its first call: variables and files stay from call
to call, and go with the session. The tools are run_code, run_notebook, put_file, get_file and reset.

Nothing of this machine is inside but its Python. With --directory a folder is shared, to be read
unless --workspace says otherwise; the model cannot ask for more.

\b
Examples:
  sandbox-kernel mcp
  sandbox-kernel mcp --profile strict
  sandbox-kernel mcp --memory 2g --cell-timeout 5m --directory ~/data

\b
Needs the SDK of the protocol: pip install '/path/to/the/checkout[mcp]'
"""

MISSING = "`sandbox-kernel mcp` needs the SDK of the protocol: pip install '/path/to/the/checkout[mcp]'"


@click.command("mcp", help=HELP, short_help="Serve a sandbox to language models (MCP).")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder to share, at the same path; the code starts in it.",
)
@policy_options.policy_options
@click.pass_context
def command(ctx: click.Context, *, directory: Path | None) -> None:
    """Check the policy, then serve."""
    settings = policy_options.given(ctx)
    if directory is None and settings.get("workspace", "none") != "none":
        raise click.UsageError("--workspace says how a folder is shared, and none is; add --directory DIR.")
    policy = policy_options.to_environment(settings)
    with for_notebooks():
        _require_sdk()
        from sandbox_kernel.mcp.server import instructions, serve

    import asyncio

    from sandbox_kernel.cli.walls import require_wall
    from sandbox_kernel.session import AsyncSandbox

    with policy_options.naming_options(settings):
        require_wall(policy)
        sandbox = AsyncSandbox(policy, directory=directory)
    shared = "" if directory is None or policy.workspace == "none" else _shared(directory, policy.workspace)
    asyncio.run(serve(sandbox, instructions(_limits(policy.describe()), shared)))


def _require_sdk() -> None:
    """Import the SDK by itself: whatever it does not find is the extra's, and no bug of ours.

    :raises click.ClickException: it is not there, or not all of it.
    """
    try:
        import mcp.server.mcpserver  # noqa: F401
    except ModuleNotFoundError as error:
        raise click.ClickException(MISSING) from error


def _shared(directory: Path, mode: str) -> str:
    may = "and can be changed" if mode == "rw" else "and can only be read: write to ~"
    return f", but for those in {directory}, which is where code runs {may}"


def _limits(told: dict[str, str]) -> str:
    limits = {"memory": "memory", "cpus": "CPUs", "pids": "processes", "tmp": "space for files"}
    deadlines = {"cell_timeout": "time of a call", "session_timeout": "life", "idle_timeout": "idling"}
    words = [f"{told[name]} {word}" for name, word in limits.items()]
    return ", ".join([*words, *(f"{told[n]} {w}" for n, w in deadlines.items() if told[n] != "none")])
