"""`sandbox-kernel audit`: what was written down of sessions and cells."""

import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.host.audit import AuditLog, default_path
from sandbox_kernel.host.audit.records import code_digest
from sandbox_kernel.policy import format_seconds, format_size

HELP = """
Show the last records of the audit log: which kernels were started, which cells ran (by the hash of
their code), how long, and how they ended.

\b
Examples:
  sandbox-kernel audit
  sandbox-kernel audit --follow
  sandbox-kernel audit --json -n all | jq 'select(.outcome == "error")'

The log is $XDG_STATE_HOME/sandbox-kernel/audit.jsonl (by default ~/.local/state/…), or what
c.SandboxProvisioner.audit_log names in Jupyter's configuration: give that to --log.
"""

LOOK_AGAIN_SECONDS: Final = 0.2
"""How often a followed log is looked at: for people, at once."""

MOST_OF_A_LINE: Final = 4096
"""Bytes by which a file is known: its first line has a time and a session in them."""


@click.command("audit", help=HELP, short_help="Show what ran in sandboxes, when, and how it ended.")
@click.option("-n", "--lines", default="20", show_default=True, metavar="N", help="How many; or all.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the lines as they are.")
@click.option(
    "--log", metavar="FILE", type=click.Path(path_type=Path), help="Another log than the usual one."
)
def command(*, lines: str, follow: bool, as_json: bool, log: Path | None) -> int:
    """Show records."""
    if lines != "all" and not (lines.isascii() and lines.isdigit()):
        raise click.UsageError("--lines takes a number, or all.")
    reader = Reader(log or default_path())
    try:
        if log is not None:
            _require_log(log, to_come=follow)
        shown = deque(reader.read(), None if lines == "all" else int(lines))
    except OSError as error:
        raise click.UsageError(f"cannot read {reader.log.path}: {error.strerror}.") from error
    if not shown and not follow:
        click.echo(f"Nothing is written down in {plain(str(reader.log.path))}.", err=True)
    _show(shown, as_json=as_json)
    while follow:
        time.sleep(LOOK_AGAIN_SECONDS)
        _show(deque(reader.read()), as_json=as_json)
    return 0


def _require_log(path: Path, *, to_come: bool) -> None:
    """Refuse a log that somebody names and that is none; one that is followed may be still to come.

    :raises click.UsageError: there is no file of that name, or it is a directory.
    """
    if path.is_dir():
        raise click.UsageError(f"--log names {path}, a directory; name the log in it.")
    if not to_come and not AuditLog(path, 0).files():
        raise click.UsageError(f"--log names {path}, and there is no such file.")


class Reader:
    """Reads a log's records in their order, each once, over the turns of its files."""

    def __init__(self, path: Path) -> None:
        self.log = AuditLog(path, 0)
        self._read: dict[bytes, int] = {}
        """What each file begins with, which its name and number do not tell → bytes of it that were read."""

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what is new; what is no record (a line that a full disk has cut) is skipped."""
        for path in self.log.files():
            try:
                with path.open("rb") as file:
                    head = file.readline(MOST_OF_A_LINE)
                    if head.endswith(b"\n") or len(head) == MOST_OF_A_LINE:
                        file.seek(self._read.get(head, 0))
                        yield from self._records(file, head)
            except FileNotFoundError:  # turned over meanwhile: found under its next name
                continue

    def _records(self, file: BinaryIO, head: bytes) -> Iterator[dict[str, Any]]:
        for line in file:
            if not line.endswith(b"\n"):  # it is being written
                return
            self._read[head] = self._read.get(head, 0) + len(line)
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def _show(records: deque[dict[str, Any]], *, as_json: bool) -> None:
    for found in records:
        click.echo(json.dumps(found) if as_json else plain(_sentence(found)))


def _sentence(found: dict[str, Any]) -> str:
    """Return a record for people; a log may hold those of another version."""
    when = str(found.get("time", "?"))[:19].replace("T", " ")
    what = {"session_start": _start, "cell": _cell, "session_end": _end}.get(str(found.get("event")))
    try:
        told = what(found) if what else str(found.get("event"))
    except (KeyError, TypeError, ValueError):
        told = f"{found.get('event')} (of another version)"
    return f"{when}  {found.get('session', '?')}  {told}"


def _start(found: dict[str, Any]) -> str:
    user = found["user"]
    who = user["jupyterhub"] or user["name"] or user["uid"]
    wall = f"{found['engine']}, image {found['image']}" if found["image"] else found["engine"]
    return f"{found['kernel_name'] or 'a kernel'} started by {who} in {found['directory']} ({wall})"


def _cell(found: dict[str, Any]) -> str:
    digest = _NO_CODE if found["code_sha256"] == code_digest("") else _short(found["code_sha256"])
    took = format_seconds(round(float(found["duration"]), 3))
    sent = format_size(found["output_bytes"])
    return f"cell {found['cell']} {found['outcome']} after {took}, {sent} out, {digest}"


_NO_CODE: Final = "no code: a file or value on its way in or out, or a program's question"
"""What a silent request is for that has nothing to run; a hash of nothing tells nobody anything."""


def _short(digest: str | None) -> str:
    return (digest or "none").removeprefix("sha256:")[:12]


_AS_ASKED: Final = "shut down, as it was asked to be"
"""Most sessions end so. How a client has it done, by a message or a signal, is no news: its JSON has it."""


def _end(found: dict[str, Any]) -> str:
    used = ["1 cell" if found["cells"] == 1 else f"{found['cells']} cells"]
    used += [f"{found['cpu_seconds']:.1f} s of CPU"] if found["cpu_seconds"] else []
    used += [format_size(found["memory_bytes"])] if found["memory_bytes"] else []
    told = _AS_ASKED if found["cause"] == "shutdown" else f"ended: {found['cause']}. {found['reason']}"
    return f"{told} ({', '.join(used)})"
