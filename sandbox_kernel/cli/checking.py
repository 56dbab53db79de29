"""One run of `sandbox-kernel check`: everything but its options, and all that takes long to import."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
from msgspec import structs

from sandbox_kernel.checks.finding import find_submissions
from sandbox_kernel.checks.many import Entry, grade_all
from sandbox_kernel.checks.reports import to_json, to_junit
from sandbox_kernel.checks.suite import Suite, read_suite
from sandbox_kernel.checks.verdicts import Graded
from sandbox_kernel.cli import check_screen, policy_options
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.signals import cancelling
from sandbox_kernel.cli.walls import require_wall
from sandbox_kernel.errors import ExitCode, PolicyError
from sandbox_kernel.host.memory import memory
from sandbox_kernel.notebooks.destination import READER_SECONDS, Destination
from sandbox_kernel.policy import Layer, Policy, layer_from_environment

_LAST = (".yaml", ".yml")
_PLACE = ("engine", "image", "runtime")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says, beside the submissions, their checks and the policy."""

    jobs: int | None
    json_file: str | None
    junit_file: str | None
    show_expected: bool
    verbose: bool
    quiet: bool


@dataclass
class _LeftOut:
    """The folders that were not looked into, of which there may be any number."""

    first: Path = field(default_factory=Path)
    count: int = 0

    def __call__(self, folder: Path) -> None:
        """Note one more."""
        self.first = self.first if self.count else folder
        self.count += 1

    def __str__(self) -> str:
        """Return what is to be said of them."""
        others = f" and {self.count - 1} more folders are" if self.count > 1 else " is"
        return f"{plain(str(self.first))}{others} left out: too deep, or not to be read."


def check(submissions: Sequence[str], checks: str, asked: Asked, settings: Mapping[str, str]) -> int:
    """Check all, show it, write the reports; return the exit code.

    :param settings: the policy options that were given.
    :raises SandboxError: nothing was run; the message says why.
    """
    _check_order(submissions, checks)
    suite = read_suite(Path(checks))
    if asked.show_expected:
        shown = (replace(one, show_expected=True) for one in suite.checks)
        suite = replace(suite, checks=tuple(shown))
    policy = _policy(suite, settings)
    with policy_options.naming_options(settings):
        require_wall(policy)
    left_out = _LeftOut()
    entries = find_submissions(submissions, left_out)
    with ExitStack() as stack:
        reports = [
            (_place(name, mark, stack) if name != "-" else None, write)
            for name, write, mark in (
                (asked.json_file, to_json, b'"submissions"'),
                (asked.junit_file, to_junit, b"<testsuites"),
            )
            if name is not None
        ]
        to_stdout = all(destination is not None for destination, _ in reports)
        screen = check_screen.CheckScreen(len(entries), to_stdout=to_stdout, quiet=asked.quiet)
        if left_out.count:
            click.echo(f"warning: {left_out}", err=True)
        jobs = asked.jobs or jobs_for(policy)
        with screen.watching():
            results, cancelled = asyncio.run(_grade(entries, suite, policy, jobs, screen))
        for destination, write in reports:
            _put(destination, write(suite, results))
    screen.show(suite, results, verbose=asked.verbose or len(entries) == 1)
    return _exit_code(results, cancelled=cancelled)


def _check_order(submissions: Sequence[str], checks: str) -> None:
    """Refuse what is meant the other way round."""
    others = [name for name in submissions if name.endswith(_LAST)]
    if not checks.endswith(_LAST) and others:
        raise click.UsageError(f"CHECKS comes last: put {others[0]} behind {checks}.")
    if others:
        raise click.UsageError(f"there is one CHECKS file, and it is {checks}; leave out {others[0]}.")


def _policy(suite: Suite, settings: Mapping[str, str]) -> Policy:
    """Return what submissions are allowed: `strict`, with what the CHECKS file and then options say.

    Of the environment only where sandboxes are built counts: limits are to be the same everywhere.

    :raises PolicyError: a setting is not known, or not usable.
    """
    environment = layer_from_environment(os.environ)
    place = {name: value for name, value in environment.settings.items() if name in _PLACE}
    own = Layer(dict(suite.policy), f"the policy of {suite.source}")
    above = policy_options.layers(settings)
    for layer in (own, *above):
        if layer.settings.get("workspace", "none") != "none":
            raise PolicyError("a submission is given no folder: leave 'workspace' out; 'mounts' share one.")
    strict = Layer({"profile": "strict"}, "check")
    policy = Policy.from_layers([strict, structs.replace(environment, settings=place), own, *above])
    return policy.replace(workspace="none")


def jobs_for(policy: Policy) -> int:
    """Return how many at once this machine has cores and free memory for; at least one."""
    by_cores = (os.cpu_count() or 1) / min(1.0, policy.cpus)
    by_memory = memory().available // policy.memory
    return max(1, int(min(by_cores, by_memory)))


async def _grade(
    entries: Sequence[Entry], suite: Suite, policy: Policy, jobs: int, screen: "check_screen.CheckScreen"
) -> tuple[list[Graded], bool]:
    """Grade all; a signal ends what runs, and the rest is not begun."""
    loop, cancelled = asyncio.get_running_loop(), False
    grading = asyncio.ensure_future(grade_all(entries, suite, policy, jobs, screen.heard))

    def cancel() -> None:
        nonlocal cancelled
        cancelled = True
        grading.cancel()

    signals = cancelling()
    for number in signals:
        loop.add_signal_handler(number, cancel)
    try:
        return await grading, cancelled
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _place(name: str, mark: bytes, stack: ExitStack) -> Destination:
    """Return where a report goes, held until the stack lets go of it.

    :raises NotebookError: there is something else.
    """
    place = stack.enter_context(Destination(Path(name)))
    place.refuse_all_but(mark, "report of submissions")
    return place


def _put(destination: Destination | None, text: str) -> None:
    if destination is None:
        sys.stdout.write(text)
        return
    for _ in destination.write(text.encode()):
        time.sleep(READER_SECONDS)


def _exit_code(results: Sequence[Graded], *, cancelled: bool) -> int:
    if cancelled:
        return ExitCode.CANCELLED
    if not all(result.was_run for result in results):
        return ExitCode.DIED
    return ExitCode.OK if all(result.passed for result in results) else ExitCode.CHECK_FAILED
