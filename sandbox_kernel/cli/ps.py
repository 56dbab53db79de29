"""`sandbox-kernel ps`: the sandboxes that run now."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import click
from msgspec.structs import asdict

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.host.registry import Running, list_running
from sandbox_kernel.policy import format_size

_TITLES: Final = ("id", "running for", "engine", "memory limit", "started by", "directory")
_GAP: Final = "  "
_LEAST: Final = 20
"""Columns that a directory has at least, however narrow the terminal is."""

_MOST: Final = 20
"""Columns of the name of what has started it."""
_NOTEBOOKS: Final = (".ipynb", ".py")
_PYTHON: Final = re.compile(r"python[0-9.]*")


@click.command("ps", short_help="List running sandboxes.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one list of objects.")
def command(*, as_json: bool) -> int:
    """List the sandboxes that run on this machine for this user.

    Each is listed with the notebook or program that has started it, and the process id of that. Directories
    are shortened where a terminal is too narrow for them; a file or pipe has them whole.
    """
    running = list_running()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in running], indent=2))
    elif not running:
        click.echo("No sandbox is running.")
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo("\n".join(_lines(running, width)))
    return 0


def _lines(running: list[Running], width: int | None) -> list[str]:
    """Return the table, as wide as the terminal if that is given; the last column is the directory."""
    rows = [_TITLES, *map(_row, running)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    room = None if width is None else max(_LEAST, width - sum(widths) - len(_GAP) * len(widths))
    lines = []
    for *cells, directory in rows:
        shown = directory if room is None else _short(directory, room)
        lines.append(_GAP.join([*map(str.ljust, cells, widths), shown]))
    return lines


def _row(entry: Running) -> tuple[str, ...]:
    cells = (
        entry.id,
        _age(time.time() - entry.started),
        entry.engine,
        format_size(entry.memory),
        f"{starter(_words(entry.host_pid))} ({entry.host_pid})",
        entry.directory,
    )
    return tuple(map(plain, cells))


def _words(pid: int) -> list[str]:
    """Return a command's name and arguments, as far as this user may see them."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            return [os.fsdecode(word) for word in file.read(4096).split(b"\0") if word]
    except OSError:
        return []


def starter(words: Sequence[str]) -> str:
    """Return what somebody knows a command by: the notebook that it runs, or the program's name.

    Nothing else of its arguments, for there may be a token among them.
    """
    program, *rest = words or ["?"]
    if _PYTHON.fullmatch(PurePosixPath(program).name) and rest:
        rest = rest[1:] if rest[0] == "-m" else rest
        program, *rest = rest if rest and not rest[0].startswith("-") else [program]
    notebook = next(
        (word for word in rest if word.endswith(_NOTEBOOKS) and not word.startswith("-")), program
    )
    name = PurePosixPath(notebook).name or "?"
    return name if len(name) <= _MOST else f"{name[: _MOST - 1]}…"


def _short(directory: str, room: int) -> str:
    return shortened(directory, room, os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises where none is


def shortened(directory: str, room: int, home: str) -> str:
    """Return a path in at most `room` characters: ~ for the home, and … for what is left out.

    What stays is the end, which tells folders apart, and where it fits the first part as well.
    """
    path, top = PurePosixPath(directory), PurePosixPath(home)
    if len(directory) > room and len(top.parts) > 1 and path.is_relative_to(top):
        path = PurePosixPath("~", path.relative_to(top))
        directory = str(path)
    if len(directory) <= room:
        return directory
    first = 2 if path.is_absolute() else 1  # "/" is a part by itself
    begin, rest = PurePosixPath(*path.parts[:first]), path.parts[first:]
    for dropped in range(1, len(rest)):
        for start in (f"{begin}/…/", "…/"):
            if len(short := start + "/".join(rest[dropped:])) <= room:
                return short
    return "…" + directory[1 - room :]


def _age(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
