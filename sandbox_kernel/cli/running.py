"""One run of `sandbox-kernel run`: everything but its options, and all that takes long to import."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from sandbox_kernel.cli import kernels, policy_options
from sandbox_kernel.cli.copies import copies
from sandbox_kernel.cli.hints import hint
from sandbox_kernel.cli.new_folder import made
from sandbox_kernel.cli.papermill_options import Habits
from sandbox_kernel.cli.places import Places
from sandbox_kernel.cli.preparing import is_python, language_of, prepare, save_only, show_parameters
from sandbox_kernel.cli.screen import Screen
from sandbox_kernel.cli.signals import cancelling
from sandbox_kernel.cli.streams import print_notebook
from sandbox_kernel.cli.walls import absent, beyond_reach
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import (
    DEFAULT_KERNEL,
    NotebookRun,
    Outcome,
    Result,
    RunOptions,
    papermill,
)
from sandbox_kernel.notebooks.document import for_saving
from sandbox_kernel.notebooks.files import to_text
from sandbox_kernel.notebooks.script import script_file
from sandbox_kernel.policy import Policy, format_size


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of a run, beside its places and its policy."""

    kernel: str | None
    """None: nobody named one."""
    timeout: float | None
    allow_errors: bool
    log_output: bool
    quiet: bool
    habits: Habits
    parameters: Mapping[str, object]
    artifacts: str | None = None
    """Where they go; None: nobody wants any."""
    arguments: tuple[str, ...] = ()
    """What a script is to find in `sys.argv[1:]`."""


def run(where: Places, asked: Asked, settings: Mapping[str, str]) -> int:
    """Run the notebook, show it, save it, say how it ended; return the exit code.

    :param settings: the policy options that were given.
    :raises SandboxError: nothing was run; the message says why.
    """
    if asked.arguments:
        _require_script(where, asked)
    nb = where.read()
    if asked.habits.help_notebook:
        return show_parameters(nb, where)
    if asked.kernel is None and not asked.habits.prepare_only:
        check_language(language_of(nb, asked.habits, None), where)
    screen = Screen(log_output=asked.log_output, quiet=asked.quiet)
    for sentence in prepare(nb, where, asked.habits, asked.parameters, asked.kernel):
        screen.warned(sentence)
    with made(where.folder):
        if asked.habits.prepare_only:
            return save_only(nb, where)
        return _run(nb, where, asked, settings, screen)


def _require_script(where: Places, asked: Asked) -> None:
    """Refuse arguments that nobody would get.

    :raises NotebookError: it is a notebook, a script that is in no file, or nothing is to run.
    """
    if script_file(where.notebook) is None:
        raise NotebookError(
            f"what follows -- are arguments for a Python script in a file, and {where.name} is none; "
            "a notebook's parameters are set with -p NAME VALUE."
        )
    if asked.habits.prepare_only:
        raise NotebookError("what follows -- are arguments of a script, and --prepare-only runs none.")


def check_language(language: str, where: Places) -> None:
    """Refuse to feed, say, R to Python unless somebody asked for that.

    :raises NotebookError: the notebook is in another language.
    """
    if not is_python(language):
        raise NotebookError(f"{where.name} is written in {language:.80}; name a kernel for it with -k.")


def _run(nb: NotebookNode, where: Places, asked: Asked, settings: Mapping[str, str], screen: Screen) -> int:
    kernel = asked.kernel or DEFAULT_KERNEL
    policy, set_by_somebody = policy_for(kernel, settings)
    options = RunOptions(
        kernel=kernel,
        directory=where.directory,
        script=script_file(where.notebook),
        arguments=asked.arguments,
        timeout=asked.timeout,
        # The guard keeps these two as well. We start counting earlier, so it is we who notice.
        cell_timeout=policy.cell_timeout,
        session_timeout=policy.session_timeout,
        start_timeout=policy.start_timeout,
        allow_errors=asked.allow_errors,
        artifacts=Path(asked.artifacts) if asked.artifacts else None,
    )
    known = absent(policy, where.directory) if kernel == DEFAULT_KERNEL else []  # others: another environment
    for sentence in (*beyond_reach(policy, set_by_somebody), *known):
        screen.warned(sentence)
    if asked.kernel is None and not asked.quiet:
        _remark_on_kernel(screen, nb)
    job = NotebookRun(nb, where.destination, options, screen)
    files = copies(asked.habits.stdout_file, asked.habits.stderr_file)
    with files as screen.copies, policy_options.naming_options(settings), screen.watching():
        result = asyncio.run(_execute(job))
    for sentence in screen.copies.failures:
        screen.warned(sentence)
    if where.target is None:
        print_notebook(to_text(papermill.marked(for_saving(nb))))
    _summarise(screen, nb, where, result)
    if asked.artifacts:
        _count_artifacts(screen, asked.artifacts, result)
    allowed = job.policy if isinstance(job.policy, Policy) else policy  # Jupyter's configuration counts, too
    if advice := _advice(result, nb, allowed, kernel):
        screen.say(f"hint: {advice}", "yellow")
    return result.exit_code


def _remark_on_kernel(screen: Screen, nb: NotebookNode) -> None:
    """Say that the notebook names another kernel; python3 stands for any Python, so nobody meant more."""
    named = nb.metadata.get("kernelspec", {}).get("name")
    if named not in (None, "", "python3", DEFAULT_KERNEL):
        screen.say(
            f"The notebook names kernel {str(named)[:80]!r} and runs on {DEFAULT_KERNEL!r}; -k chooses."
        )


def policy_for(kernel: str, settings: Mapping[str, str]) -> tuple[Policy, Collection[str]]:
    """Return the policy that the run will have, and what of it somebody has set; see to it that it has one.

    :raises NotebookError: there is no such kernel, it would run outside a sandbox, or it has a
        policy of its own, which options cannot change.
    """
    spec = kernels.find(kernel)
    if spec.provisioner not in (None, kernels.PROVISIONER):
        raise NotebookError(
            f"kernel {kernel!r} is started by {spec.provisioner!r}, outside any sandbox; use another kernel."
        )
    kernels.sandbox_all_kernels()
    fixed = spec.fixed_policy
    if fixed is None:
        return policy_options.to_environment(settings), policy_options.asked()
    if settings:
        option = policy_options.flags(next(iter(settings)))[0]
        raise NotebookError(
            f"kernel {kernel!r} has a policy of its own, which {option} cannot change; leave it out, "
            "or use another kernel."
        )
    return fixed, dict(spec.config) if isinstance(spec.config, Mapping) else ()


async def _execute(run: NotebookRun) -> Result:
    """Execute; a signal cancels the run, which saves what there is."""
    loop = asyncio.get_running_loop()
    signals = cancelling()
    for number in signals:
        loop.add_signal_handler(number, run.cancel, f"Cancelled by {number.name}.")
    try:
        return await run.execute()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _summarise(screen: Screen, nb: NotebookNode, places: Places, result: Result) -> None:
    if result.outcome is Outcome.ERROR:
        _show_error(screen, nb)
    where = f" → {places.target}" if places.target else ""
    cells = f"{result.cells_run} of {result.cells} cells"
    style = {Outcome.OK: "green", Outcome.CANCELLED: "yellow"}.get(result.outcome, "bold red")
    sentence = "" if result.outcome is Outcome.OK else f" {result.sentence.rstrip('.')}."
    screen.say(f"{result.outcome}:{sentence} {cells} in {result.duration:.1f} s{where}", style)


def _count_artifacts(screen: Screen, place: str, result: Result) -> None:
    count, size = len(result.artifacts), sum(one.size for one in result.artifacts)
    said = f"{count} artifact{'s' * (count != 1)}"
    screen.say(f"{said}, {format_size(size)} → {place}" if count else f"no artifacts → {place}")


def _show_error(screen: Screen, nb: NotebookNode) -> None:
    if error := _last_error(nb):
        screen.error(error)


def _advice(result: Result, nb: NotebookNode, policy: Policy, kernel: str) -> str | None:
    """Return what to do about the error or limit that ended the run, if the wall has probably caused it."""
    advice = None
    if result.outcome in (Outcome.MEMORY, Outcome.LIMIT, Outcome.TIMEOUT):
        advice = hint("", result.sentence, policy)
    elif result.outcome is Outcome.ERROR and (error := _last_error(nb)):
        advice = hint(str(error.get("ename")), str(error.get("evalue")), policy)
    if advice and "--" in advice and kernels.find(kernel).fixed_policy is not None:
        return f"{advice.rstrip('.')} (options of `sandbox-kernel install --replace` for kernel {kernel!r})."
    return advice


def _last_error(nb: NotebookNode) -> NotebookNode | None:
    outputs = (output for cell in reversed(nb.cells) for output in reversed(cell.get("outputs", [])))
    return next((output for output in outputs if output.get("output_type") == "error"), None)
