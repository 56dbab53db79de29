"""`sandbox-kernel doctor`: what this machine can enforce, found out by looking and by trying."""

import json

import click
import msgspec

from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.imports import for_notebooks
from sandbox_kernel.errors import ExitCode

HELP = """
Show how each limit is kept on this machine, what is weak or missing and what to do about it; grade
the walls that it has by what an exploit of the Linux kernel would meet (A: a virtual machine, B: a kernel in
user space, C: the machine's own kernel, D: the same, weakened); start one sandbox to see that it
works; check the sandboxed kernels that are installed; remove what crashed programs have left.

Policy options ask about that policy instead of the default. Exits with 0 when sandboxes start
here and all their kernels are in order, with 1 otherwise.
"""


@click.command("doctor", help=HELP, short_help="Show what this machine can enforce, and what is missing.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one object.")
@policy_options.policy_options
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Look, try, report."""
    with for_notebooks():
        from sandbox_kernel.cli.examination import examine, show

    settings = policy_options.given(ctx)
    report = examine(policy_options.to_environment(settings))
    report.problems = [policy_options.with_options(problem, settings) for problem in report.problems]
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        show(report)
    return ExitCode.OK if report.ok else 1
