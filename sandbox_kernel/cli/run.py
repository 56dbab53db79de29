"""`sandbox-kernel run`: one notebook, from the first cell to the saved file."""

import click

from sandbox_kernel.cli import batch_options, policy_options
from sandbox_kernel.cli.duration import seconds
from sandbox_kernel.cli.imports import for_notebooks

HELP = """
Run NOTEBOOK from top to bottom in a sandbox and save the executed notebook.

The result goes to OUTPUT, by default NAME-executed.ipynb beside NOTEBOOK; a directory that is there
takes it under the notebook's own name, `-` prints it, and a new file's name ends in .ipynb or .json.
An OUTPUT that exists is replaced if a run has written it; -o replaces any. A link that you name is
followed, once, before the run; any other link at the result's name is replaced. It is saved however
the run ends (error, deadline, memory, Ctrl-C, SIGTERM), with what was computed so far and how it
ended in its metadata.

\b
Examples:
  sandbox-kernel run analysis.ipynb
  sandbox-kernel run analysis.ipynb -o results/ --memory 2g --cpus 2
  sandbox-kernel run notebook.ipynb --workspace rw --log-output
  sandbox-kernel run stranger.ipynb --profile strict --timeout 1m

The kernel is sandboxed-python whatever the notebook names, unless -k says otherwise; with -k it is
sandboxed all the same. It starts in the notebook's directory.
"""


@click.command("run", help=HELP, short_help="Run a notebook in a sandbox.")
@click.argument("notebook", required=False)
@click.argument("output_arguments", metavar="[OUTPUT]", nargs=-1)
@click.option("-o", "--output", help="Where the executed notebook goes: a file, a directory, or -.")
@click.option("--inplace", is_flag=True, help="Replace NOTEBOOK by the executed notebook.")
@click.option("-k", "--kernel", metavar="NAME", help="The kernel to run it on.  [default: sandboxed-python]")
@click.option("--cwd", metavar="DIR", help="Where the kernel starts.  [default: the notebook's directory]")
@click.option(
    "--timeout",
    metavar="TIME",
    callback=seconds,
    help="Deadline of the whole run, the start included, e.g. 90, 10m.",
)
@click.option("--allow-errors", is_flag=True, help="Go on after a cell that raises; exit with 0.")
@batch_options.batch_options
@click.option("--log-output/--no-log-output", help="Print what the cells print, as they print it.")
@click.option("-q", "--quiet", is_flag=True, help="No progress; the summary only.")
@policy_options.policy_options
@click.pass_context
def command(  # noqa: PLR0913 -- one parameter per option
    ctx: click.Context,
    *,
    notebook: str | None,
    output_arguments: tuple[str, ...],
    output: str | None,
    inplace: bool,
    kernel: str | None,
    cwd: str | None,
    timeout: float | None,
    allow_errors: bool,
    log_output: bool,
    quiet: bool,
) -> int:
    """Turn the command line into one run, or many, and the result into an exit code."""
    inputs = [notebook, *output_arguments] if notebook else []
    if batch_options.wanted(ctx, inputs, output):
        raise click.UsageError("One run takes one notebook; start one run for each.")
    if notebook is None:
        raise click.MissingParameter(param_hint="'NOTEBOOK'", param_type="argument", ctx=ctx)
    with for_notebooks():
        from sandbox_kernel.cli.places import places
        from sandbox_kernel.cli.running import Asked, run

    where = places(notebook, output_arguments, output, inplace=inplace, cwd=cwd)
    settings = policy_options.given(ctx)
    return run(where, Asked(kernel, timeout, allow_errors, log_output, quiet), settings)
