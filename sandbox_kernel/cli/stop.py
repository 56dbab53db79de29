"""`sandbox-kernel stop`: end sandboxes from outside."""

import click

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.host import registry


@click.command("stop", short_help="Stop running sandboxes.")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Stop all sandboxes of this user.")
def command(*, ids: tuple[str, ...], everything: bool) -> int:
    """Stop sandboxes by ID, or the beginning of one, as `sandbox-kernel ps` shows them.

    Whatever runs in them is killed at once; their clients are told that they were stopped.
    """
    if everything == bool(ids):
        raise click.UsageError("Name the sandboxes to stop, or say --all.")
    for identifier in [entry.id for entry in registry.list_running()] if everything else ids:
        entry = registry.stop(identifier)
        click.echo(f"Stopped {entry.id} ({plain(entry.directory)}).")
    return 0
