"""`sandbox-kernel run`: one notebook, from the first cell to the saved file, or many."""

import click

from sandbox_kernel.cli import batch_options, papermill_options, policy_options, script_arguments
from sandbox_kernel.cli.duration import seconds
from sandbox_kernel.cli.imports import for_notebooks

HELP = """
Run NOTEBOOK from top to bottom in a sandbox and save the executed notebook.

The result goes to OUTPUT, by default NAME-executed.ipynb beside NOTEBOOK; a directory takes it under
the notebook's own name (a new one's name ends in /), `-` prints it, and a new file's name ends in
.ipynb or .json. An OUTPUT that exists is replaced if a run has written it, with -o if it is a
notebook; nothing else is. A link that you name is followed, once, before the run; any other link at
the result's name is replaced. It is saved however the run ends (error, deadline, memory, Ctrl-C,
SIGTERM), with what was computed so far and how it ended in its metadata.

\b
Examples:
  sandbox-kernel run analysis.ipynb
  sandbox-kernel run analysis.ipynb -o results/ --memory 2g --cpus 2
  sandbox-kernel run report.ipynb 'report-{region}.ipynb' -p region north -p year 2026
  sandbox-kernel run script.py s3://bucket/results/
  sandbox-kernel run train.py -- --epochs 3
  sandbox-kernel run notebook.ipynb --workspace rw --log-output
  sandbox-kernel run stranger.ipynb --profile strict --timeout 1m
  sandbox-kernel run week1/ week2/ extra.ipynb -o results/ --report html=results/report.html
  sandbox-kernel run report.ipynb --manifest years.csv -o results/ --jobs 8 --resume

NOTEBOOK may be a Python script, whose cells begin at `# %%`, and which finds in sys.argv what follows `--`.
Parameters (-b, -f, -y, -p, -r; of those of one name the last in this order) are set in a cell after the
one tagged `parameters`, and may stand in OUTPUT. Both places may be elsewhere (s3://, https://) where
fsspec is installed.

Many notebooks run in one command where it names a folder, a --manifest, three notebooks, or two and
-o: as many at once as --jobs says, or cores and memory allow, each in a sandbox of its own, folders in
turns. `-o DIR` mirrors their folders, from the one on that all named ones are in; without it each result
is beside its notebook. The exit code is 0 if all ended well, 130 or 124 if the whole was cancelled or out
of time, the code of what went wrong if that was one kind of thing, and else 1.

The kernel is sandboxed-python whatever the notebook names, unless -k says otherwise; with -k it is
sandboxed all the same. It starts in the notebook's directory.
"""

_NOT_MANY = {
    "inplace": "replaces one notebook; name a folder for the results of many with -o.",
    "log_output": "shows one notebook; the results of many hold what each has printed.",
    "stdout_file": "is for one notebook; the results of many hold what each has printed.",
    "stderr_file": "is for one notebook; the results of many hold what each has printed.",
    "prepare_only": "prepares one notebook; say it for each.",
    "help_notebook": "is about one notebook; say it for each.",
}
"""Options of a single run, and why many do not have them."""


@click.command("run", cls=script_arguments.RunCommand, help=HELP, short_help="Run a notebook in a sandbox.")
@click.argument("notebook", required=False)
@click.argument("output_arguments", metavar="[OUTPUT]", nargs=-1)
@click.option("-o", "--output", help="Where the executed notebook goes: a file, a directory, or -.")
@click.option("--inplace", is_flag=True, help="Replace NOTEBOOK by the executed notebook.")
@click.option(
    "--artifacts",
    metavar="DIR|FILE.zip",
    help="Where the files go that the code leaves in the folder $SANDBOX_ARTIFACTS.",
)
@papermill_options.papermill_options
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
@click.option("--progress-bar/--no-progress-bar", default=None, help="The same: -q, or not.")
@policy_options.policy_options
@click.option("--kernel_name", "kernel", hidden=True, expose_value=False)
@policy_options.alias("--execution-timeout", "cell_timeout")
@policy_options.alias("--start_timeout", "start_timeout")
@policy_options.alias("--startup_timeout", "start_timeout")
@click.pass_context
def command(  # noqa: PLR0913 -- one parameter per option
    ctx: click.Context,
    *,
    notebook: str | None,
    output_arguments: tuple[str, ...],
    output: str | None,
    inplace: bool,
    artifacts: str | None,
    kernel: str | None,
    cwd: str | None,
    timeout: float | None,
    allow_errors: bool,
    log_output: bool,
    quiet: bool,
    progress_bar: bool | None,
) -> int:
    """Turn the command line into one run, or many, and the result into an exit code."""
    inputs, arguments = script_arguments.divided(ctx, [notebook, *output_arguments] if notebook else [])
    if batch_options.wanted(ctx, inputs, output):
        return _batch(ctx, inputs, arguments)
    if notebook is None:
        raise click.MissingParameter(param_hint="'NOTEBOOK'", param_type="argument", ctx=ctx)
    habits = papermill_options.given(ctx)
    with for_notebooks():
        from sandbox_kernel.cli.places import places
        from sandbox_kernel.cli.preparing import read_parameters
        from sandbox_kernel.cli.running import Asked, run

    parameters = read_parameters(habits)
    ending = "prepared" if habits.prepare_only else "executed"
    where = places(
        notebook, tuple(inputs[1:]), output, inplace=inplace, cwd=cwd, parameters=parameters, ending=ending
    )
    settings = policy_options.given(ctx)
    quiet = quiet or progress_bar is False
    asked = Asked(kernel, timeout, allow_errors, log_output, quiet, habits, parameters, artifacts, arguments)
    return run(where, asked, settings)


def _batch(ctx: click.Context, inputs: list[str], arguments: tuple[str, ...]) -> int:
    """Turn the command line into many runs and their results into one exit code."""
    if arguments:
        raise click.UsageError("what follows -- are the arguments of one script; run it by itself.", ctx)
    given, habits = ctx.params, papermill_options.given(ctx)
    for name, why in _NOT_MANY.items():
        if given.get(name) or getattr(habits, name, None):
            raise click.UsageError(f"--{name.replace('_', '-')} {why}", ctx)
    with for_notebooks():
        from sandbox_kernel.cli.batch import Asked, run_batch

    asked = Asked(
        inputs=inputs,
        quiet=given["quiet"] or given["progress_bar"] is False,
        habits=habits,
        **{name: given[name] for name in ("output", "artifacts", "kernel", "cwd", "timeout", "allow_errors")},
        **batch_options.given(ctx),
    )
    return run_batch(asked, policy_options.given(ctx))
