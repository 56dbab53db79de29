"""`sandbox-kernel clean`: remove what crashed programs have left."""

import click

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host import registry


@click.command("clean", short_help="Remove what crashed programs have left.")
def command() -> int:
    """Remove what sandboxes left whose program or daemon was killed: directories, control groups, containers.

    What still runs is not touched. Every first sandbox of a program does the same; nobody needs this
    command, but to see that there is nothing.
    """
    from sandbox_kernel.host.engines import engines_here
    from sandbox_kernel.host.engines.docker.leftovers import UNDONE

    removed = [str(path) for path in registry.sweep()]
    for engine in engines_here():
        removed += engine.sweep()
    for entry in removed:
        click.echo(f"Removed {plain(entry)}")
    if left := UNDONE.left():
        raise EngineUnavailableError(
            f"Not removed yet: {', '.join(f'container {one[:12]}' for one in left)}. The daemon is at it, or "
            "fails: try again, and if they stay, see its log."
        )
    if not removed:
        click.echo("Nothing was left behind.")
    return 0
