"""The command `sandbox-kernel`, also `jupyter sandbox`."""

import errno
import importlib
import os
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import click

from sandbox_kernel import __version__
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.errors import ExitCode, SandboxError

BUG = 70
"""Exit code for our own mistakes (EX_SOFTWARE), so that they are not taken for a notebook's."""

BROKEN_PIPE = 128 + 13
"""As a program that SIGPIPE ended."""

UNREACHABLE = (errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""What is wrong with a path that somebody has named, wherever in the program it shows."""

COMMANDS = {
    "run": "Run a notebook in a sandbox.",
    "check": "Check submissions against expected results.",
    "exec": "Run any Jupyter program with all its kernels sandboxed.",
    "mcp": "Serve a sandbox to language models (MCP).",
    "doctor": "Show what this machine can enforce, and what is missing.",
    "install": "Install a kernel with a policy of its own.",
    "image": "Build, list and check container images.",
    "ps": "List running sandboxes.",
    "stop": "Stop running sandboxes.",
    "audit": "Show what ran in sandboxes, when, and how it ended.",
    "clean": "Remove what crashed programs have left.",
    "bench": "Measure what a sandboxed kernel costs here.",
}

HELP = """
Run Jupyter kernels behind a wall: no network, nothing of this machine but what was granted,
bounded memory, CPU, processes and output.

\b
Examples:
  sandbox-kernel run analysis.ipynb
  sandbox-kernel run untrusted.ipynb --profile strict --timeout 60
  sandbox-kernel check submissions/ CHECKS.yaml
  sandbox-kernel exec --memory 2g -- papermill in.ipynb out.ipynb -k python3
  sandbox-kernel install --name small --display-name "Python (256 MiB)" --memory 256m
  sandbox-kernel doctor

\b
Exit codes:
    0  ok                      124  a deadline passed
    1  a cell raised an error  130  cancelled (Ctrl-C, SIGTERM, `sandbox-kernel stop`)
    2  wrong use; nothing ran  137  a limit was reached, e.g. memory
   70  a bug of ours           138  the kernel died
"""


class Commands(click.Group):
    """A group whose commands live in modules of their own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the `command` of the module of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sandbox_kernel.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with, its name, and the rest.

        :raises click.UsageError: there is none; names the one that was probably meant.
        """
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1)
            meant = f"; did you mean {near[0]}?" if near else "."
            raise click.UsageError(f"there is no command {name!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="sandbox-kernel")
def cli() -> None:
    """Hold the commands together."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    prog = "jupyter sandbox" if Path(sys.argv[0]).name == "jupyter-sandbox" else "sandbox-kernel"
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments, prog))


def run_command(arguments: list[str], prog: str = "sandbox-kernel") -> int:
    """Run the command line and return its exit code; print every error as one sentence."""
    try:
        return int(cli.main(arguments, prog_name=prog, standalone_mode=False) or 0)
    except Exception as error:  # noqa: BLE001 -- the outermost rim
        return _explain(error)
    except KeyboardInterrupt:
        _complain("cancelled.")
        return ExitCode.CANCELLED


def _explain(error: Exception) -> int:
    """Print what went wrong and return the exit code that goes with it."""
    if isinstance(error, OSError) and error.filename is not None and error.errno in UNREACHABLE:
        error = click.ClickException(f"cannot reach {os.fsdecode(error.filename)}: {error.strerror}.")
    match error:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message())
            return ExitCode.USAGE
        case click.ClickException():
            _complain(error.format_message())
            if isinstance(error, click.UsageError) and error.ctx is not None:
                click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
            return ExitCode.USAGE
        case SandboxError():
            _complain(str(error))
            return error.exit_code
        case click.Abort():
            _complain("cancelled.")
            return ExitCode.CANCELLED
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains while it exits
            return BROKEN_PIPE
    traceback.print_exception(error)
    _complain("this is a bug in sandbox-kernel; please report it with the lines above.")
    return BUG


def _complain(sentence: str) -> None:
    click.echo(f"sandbox-kernel: {plain(sentence)}", err=True)
