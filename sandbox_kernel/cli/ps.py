"""`sandbox-kernel ps`: the sandboxes that run now."""

import json
import time
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.host.registry import Running, list_running
from sandbox_kernel.policy import format_size


@click.command("ps", short_help="List running sandboxes.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one list of objects.")
def command(*, as_json: bool) -> int:
    """List the sandboxes that run on this machine for this user."""
    running = list_running()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in running], indent=2))
    elif not running:
        click.echo("No sandbox is running.")
    else:
        Console(markup=False, highlight=False, soft_wrap=True).print(_table(running))
    return 0


def _table(running: list[Running]) -> Table:
    table = Table("id", "running for", "engine", "memory limit", "pid", "directory", box=None, pad_edge=False)
    for entry in running:
        cells = (
            entry.id,
            _age(time.time() - entry.started),
            entry.engine,
            format_size(entry.memory),
            str(entry.pid or "-"),
            entry.directory,
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _age(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
