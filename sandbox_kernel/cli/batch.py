"""`sandbox-kernel run` with many notebooks: from what was asked for to one exit code."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
from nbformat import NotebookNode

from sandbox_kernel.batches import (
    Batch,
    Job,
    Notebooks,
    Plan,
    Record,
    Retries,
    Rules,
    Wanted,
    make_plan,
    read_manifest,
)
from sandbox_kernel.batches.artifacts import ArtifactFolders
from sandbox_kernel.batches.figures import Album
from sandbox_kernel.batches.folders import folders_for
from sandbox_kernel.batches.resume import still_good, within_reach
from sandbox_kernel.batches.room import at_once, too_many
from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.batch_options import MANIFESTS
from sandbox_kernel.cli.batch_reports import Reports
from sandbox_kernel.cli.batch_running import Running
from sandbox_kernel.cli.batch_screen import BatchScreen
from sandbox_kernel.cli.papermill_options import Habits
from sandbox_kernel.cli.places import SUFFIXES, Places
from sandbox_kernel.cli.preparing import language_of, prepare, read_parameters
from sandbox_kernel.cli.running import check_language, policy_for
from sandbox_kernel.cli.walls import beyond_reach, require_wall
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.host.memory import memory
from sandbox_kernel.notebooks import DEFAULT_KERNEL, RunOptions
from sandbox_kernel.notebooks.parameters.literals import assignments
from sandbox_kernel.notebooks.parameters.reading import value_of
from sandbox_kernel.notebooks.remote import Address, place
from sandbox_kernel.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says of a batch, beside its policy."""

    inputs: Sequence[str]
    output: str | None
    artifacts: str | None
    kernel: str | None
    cwd: str | None
    timeout: float | None
    allow_errors: bool
    quiet: bool
    habits: Habits
    manifest: str | None
    jobs: int | None
    resume: bool
    fail_fast: bool
    retries: int
    batch_timeout: float | None
    report: Sequence[str]


def run_batch(asked: Asked, settings: Mapping[str, str]) -> int:
    """Run everything, show it, report on it; return the exit code.

    :param settings: the policy options that were given.
    :raises SandboxError: nothing was run; the message says why.
    """
    reports = Reports.read(asked.report)
    plan = _plan(asked)
    kernel = asked.kernel or DEFAULT_KERNEL
    policy, set_by_somebody = policy_for(kernel, settings)
    with policy_options.naming_options(settings):
        require_wall(policy)
    screen = BatchScreen(len(plan.jobs), quiet=asked.quiet)
    for sentence in (*plan.remarks, *beyond_reach(policy, set_by_somebody)):
        screen.say(f"warning: {sentence}", "yellow")
    free = memory().available
    if asked.jobs and (remark := too_many(policy, asked.jobs, free)):
        screen.say(f"warning: {remark}", "yellow")
    count = asked.jobs or at_once(policy, len(os.sched_getaffinity(0)), free)
    artifacts = _artifacts(asked.artifacts, plan.output)
    common = Notebooks(
        options=RunOptions(
            kernel=kernel,
            cell_timeout=policy.cell_timeout,
            session_timeout=policy.session_timeout,
            start_timeout=policy.start_timeout,
            allow_errors=asked.allow_errors,
        ),
        conditions=_conditions(asked, kernel, policy),
        prepare=_preparing(asked),
        artifacts=artifacts,
        album=Album() if reports.has_figures else None,
    )
    rules = Rules(
        at_once=count,
        fail_fast=asked.fail_fast,
        deadline=asked.batch_timeout,
        retries=Retries(times=asked.retries),
    )
    done = _done(plan, common, policy, screen) if asked.resume else []
    batch = Batch(plan.jobs, common, rules, screen, done)
    place = artifacts.root if artifacts else None
    folders = folders_for(plan.jobs, plan.output, lambda: batch.has_run, place)
    with folders, reports, artifacts or nullcontext(), policy_options.naming_options(settings):
        return Running(batch, plan, policy, screen, reports).run()


def _done(plan: Plan, common: Notebooks, policy: Policy, screen: BatchScreen) -> list[Record]:
    """Return a record of each run that an earlier batch has done; say how many there are."""
    if place := within_reach(plan.jobs, policy):
        screen.say(
            f"warning: --resume believes the results in {place}, which the notebooks' code may write to: "
            "it could pass for done what is not. Name a folder elsewhere with -o.",
            "yellow",
        )
    done = still_good(plan.jobs, common.conditions, common.album)
    if done:
        screen.resumed(len(done))
    return done


def _conditions(asked: Asked, kernel: str, policy: Policy) -> dict[str, object]:
    """Return what each result depends on, beside its notebook and parameters."""
    habits = asked.habits
    return {
        "kernel": kernel,
        "policy": policy.to_dict(),
        "allow_errors": asked.allow_errors,
        "artifacts": asked.artifacts is not None,
        "report_mode": habits.report_mode,
        "injected": [habits.inject_paths, habits.inject_input_path, habits.inject_output_path],
    }


def _preparing(asked: Asked) -> Callable[[NotebookNode, Job], Iterable[str]]:
    """Return what is done to each notebook before it runs: what a single run does."""

    def prepared(nb: NotebookNode, job: Job) -> Iterable[str]:
        where = Places(job.notebook, job.output, job.directory, given=False)
        if asked.kernel is None:
            check_language(language_of(nb, asked.habits, None), where)
        return prepare(nb, where, asked.habits, job.parameters, asked.kernel)

    return prepared


def _plan(asked: Asked) -> Plan:
    inputs = list(asked.inputs)
    manifest = asked.manifest
    if manifest is None and len(inputs) == 1 and inputs[0].endswith(MANIFESTS):
        manifest = inputs.pop()
    if not inputs and manifest is None:
        raise click.UsageError("Name notebooks, folders, or a --manifest.")
    for name in inputs:
        if name == "-" or isinstance(place(name), Address):
            raise click.UsageError(f"{name} is no file of this machine; run it alone, or fetch it first.")
    parameters = read_parameters(asked.habits)
    assignments(parameters)  # what cannot be written is refused once, before anything runs
    wanted = Wanted(
        inputs=inputs,
        entries=read_manifest(Path(manifest), value_of) if manifest else (),
        manifest=Path(manifest) if manifest else None,
        parameters=parameters,
        output=_folder(asked.output),
        directory=_directory(asked.cwd),
        timeout=asked.timeout,
    )
    return make_plan(wanted)


def _folder(output: str | None) -> Path | None:
    """Return the folder of results, which need not be there yet.

    :raises NotebookError: it can be none.
    """
    if output is None:
        return None
    path = Path(output)
    if output == "-" or (not path.is_dir() and (path.exists() or output.endswith(SUFFIXES))):
        raise NotebookError(f"-o {output}: the results of many notebooks need a folder; name one.")
    if not path.parent.is_dir():
        raise NotebookError(f"-o {output}: {path.parent} is not a directory; make it first.")
    return path


def _artifacts(place: str | None, output: Path | None) -> ArtifactFolders | None:
    """Return the folders for artifacts, where somebody wants them.

    :raises click.UsageError: there is no telling whose are whose.
    """
    if place is None:
        return None
    if output is None:
        raise click.UsageError("--artifacts of many notebooks needs a folder of results; name one with -o.")
    if place.lower().endswith(".zip"):
        raise click.UsageError(f"--artifacts {place}: those of many notebooks need a folder; name one.")
    return ArtifactFolders(Path(place), output)


def _directory(cwd: str | None) -> Path | None:
    if cwd is not None and not Path(cwd).is_dir():
        raise NotebookError(f"cannot start in {cwd}: it is not a directory.")
    return Path(cwd) if cwd is not None else None
