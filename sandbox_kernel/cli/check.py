"""`sandbox-kernel check`: submissions, each in a sandbox of its own, against a file of checks."""

import click

from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.imports import for_notebooks

HELP = """
Run each SUBMISSION in a sandbox of its own and check what it did against CHECKS, a YAML file.

A submission is a script (.py), a notebook (.ipynb), or a folder with some of them in it. CHECKS comes
last. It stays outside, with the answers in it: what a submission printed, holds and returns comes out
as plain data and is judged here. A submission that fails to come to its end fails every check.

\b
Examples:
  sandbox-kernel check answer.py CHECKS.yaml
  sandbox-kernel check submissions/ CHECKS.yaml --jobs 4 --junit results.xml
  sandbox-kernel check answer.ipynb CHECKS.yaml --json - --cell-timeout 10

The policy starts from the profile `strict` (2 s, 1 MB of output, 100 KB of code, no files); `policy` in
CHECKS and the options below change it.

\b
Exit codes:
    0  every submission passed every check    3  one failed a check
    2  wrong use; nothing ran               130  cancelled
  138  one could not be run here
"""


@click.command("check", help=HELP, short_help="Check submissions against expected results.")
@click.argument("submissions", metavar="SUBMISSION...", nargs=-1)
@click.argument("checks", metavar="CHECKS")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Submissions that run at the same time.")
@click.option("--json", "json_file", metavar="FILE", help="Write all results as JSON to a file, or to -.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write all results as JUnit XML.")
@click.option("--show-expected", is_flag=True, help="Tell what was expected; for teachers.")
@click.option("-v", "--verbose", is_flag=True, help="Every check of every submission.")
@click.option("-q", "--quiet", is_flag=True, help="The summary only.")
@policy_options.policy_options
@click.pass_context
def command(  # noqa: PLR0913 -- one parameter per option
    ctx: click.Context,
    *,
    submissions: tuple[str, ...],
    checks: str,
    jobs: int | None,
    json_file: str | None,
    junit_file: str | None,
    show_expected: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Turn the command line into results, and those into an exit code."""
    with for_notebooks():
        from sandbox_kernel.cli.checking import Asked, check

    if not submissions:
        raise click.UsageError(
            f"There is one name only, {checks}: say SUBMISSION, then CHECKS (a YAML file)."
        )
    asked = Asked(jobs, json_file, junit_file, show_expected, verbose, quiet)
    return check(submissions, checks, asked, policy_options.given(ctx))
