"""What `sandbox-kernel doctor` finds out, and how it is shown."""

import asyncio
import importlib.metadata
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import nbformat
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox_kernel import __version__
from sandbox_kernel.cli import kernels
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.walls import missing
from sandbox_kernel.errors import PolicyError, SandboxError
from sandbox_kernel.host import registry
from sandbox_kernel.host.engines import choose
from sandbox_kernel.host.engines.base import Enforcement
from sandbox_kernel.host.engines.bubblewrap.bwrap import USUAL
from sandbox_kernel.host.machine.holes import Hole
from sandbox_kernel.host.machine.room import beyond, room_here
from sandbox_kernel.host.machine.settings import Setting
from sandbox_kernel.host.machine.survey import survey
from sandbox_kernel.host.machine.walls import Wall
from sandbox_kernel.notebooks import DEFAULT_KERNEL, Outcome, Progress, RunOptions, run_notebook
from sandbox_kernel.policy import Policy

TRIAL_SECONDS = 60.0


@dataclass(slots=True)
class Report:
    """Everything that doctor finds out; `--json` prints it as it is."""

    ok: bool = True
    versions: dict[str, str] = field(default_factory=dict)
    engine: str | None = None
    reason: str = ""
    """Why it is this engine."""
    policy: dict[str, str] = field(default_factory=dict)
    """What kernels are allowed that bring no policy of their own."""
    jupyterlab: dict[str, str] = field(default_factory=dict)
    """Where it is another one if JupyterLab starts them, by configuration that other programs do not read."""
    enforcement: list[Enforcement] = field(default_factory=list)
    grade: str = ""
    """Of the wall that this policy gets, A to D; empty where there is none."""
    walls: list[Wall] = field(default_factory=list)
    """Every way to run a kernel here, and its grade."""
    holes: list[Hole] = field(default_factory=list)
    """Known holes of the programs around, by their versions."""
    settings: list[Setting] = field(default_factory=list)
    """Of the Linux kernel, that could be better."""
    processor: list[str] = field(default_factory=list)
    """The processor's own holes that are open here."""
    kernels: dict[str, str] = field(default_factory=dict)
    """Sandboxed kernels by name, and the directory of each."""
    running: int = 0
    removed: list[str] = field(default_factory=list)
    """Directories of crashed programs, removed just now."""
    trial: str = ""
    warnings: list[str] = field(default_factory=list)
    """What does not keep a sandbox from working: a log that cannot be written, sizes too large."""
    problems: list[str] = field(default_factory=list)
    """Why sandboxes do not start, or cannot be found; one sentence each."""


def examine(policy: Policy) -> Report:
    """Return what there is to know about sandboxes with that policy on this machine.

    :param policy: what options and environment ask for; Jupyter's configuration counts as well.
    """
    report = Report(versions=_versions(), running=len(registry.list_running()))
    policy = _look_at_configuration(report, policy)
    report.policy = policy.describe()
    report.removed = [str(path) for path in registry.sweep()]
    _look_at_engine(report, policy)
    _look_at_machine(report, policy)
    _look_at_jupyter(report)
    if not report.problems:
        asyncio.run(_try(report))
    _look_at_jupyterlab(report, policy)
    report.problems += kernels.faults()
    _look_at_walls(report)
    report.ok = not report.problems
    return report


def _look_at_configuration(report: Report, policy: Policy) -> Policy:
    """Return what kernels get that programs start which read no configuration of their own."""
    try:
        return kernels.usual_policy(jupyterlab=False) or policy
    except PolicyError as error:
        report.problems.append(str(error))
    return policy


def _look_at_jupyterlab(report: Report, usual: Policy) -> None:
    """Say what is different in JupyterLab, and why kernels would not start there though they do elsewhere."""
    try:
        policy = kernels.usual_policy(jupyterlab=True) or usual
    except PolicyError as error:
        if str(error) not in report.problems:
            report.problems.append(f"JupyterLab starts no sandboxes: {error}")
        return
    told = policy.describe()
    report.jupyterlab = {name: value for name, value in told.items() if report.policy[name] != value}
    if report.jupyterlab and not report.problems and (problem := missing(policy)):
        report.problems.append(f"JupyterLab starts no sandboxes: {problem}")


def _versions() -> dict[str, str]:
    packages = ("jupyter_client", "ipykernel", "pyzmq", "nbclient")
    return {
        "sandbox-kernel": __version__,
        "python": platform.python_version(),
        **{name: _package(name) for name in packages},
        "bubblewrap": _bubblewrap(),
        "linux": platform.release(),
    }


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _bubblewrap() -> str:
    program = next(filter(None, map(shutil.which, (*USUAL, "bwrap"))), None)
    if program is None:
        return "missing"
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return shown.stdout.strip().removeprefix("bubblewrap ") or "unknown"


def _look_at_engine(report: Report, policy: Policy) -> None:
    try:
        choice = choose(policy)
        report.engine, report.reason = choice.engine.name, choice.reason
        report.enforcement = choice.engine.check(policy)
    except SandboxError as error:
        report.problems.append(str(error))
    for entry in report.enforcement:
        if entry.by is None:
            report.problems.append(f"nothing here enforces {entry.limit}: {entry.detail}")


def _look_at_machine(report: Report, policy: Policy) -> None:
    found = survey(policy)
    report.walls, report.holes = found.walls, found.holes
    report.settings, report.processor = found.settings, found.processor
    own = found.wall_of(report.engine or "", policy.runtime)
    report.grade = own.grade if own is not None else ""
    if report.engine in found.local:
        report.warnings += beyond(policy, room_here(), started_here=report.engine == "bubblewrap")


def _look_at_jupyter(report: Report) -> None:
    if kernels.PROVISIONER not in importlib.metadata.entry_points(group=kernels.GROUP).names:
        report.problems.append(
            f"Jupyter does not see {kernels.PROVISIONER!r}; install sandbox-kernel into the environment "
            "that Jupyter runs in."
        )
    report.kernels = {
        spec.name: spec.directory for spec in kernels.installed() if spec.provisioner == kernels.PROVISIONER
    }
    if DEFAULT_KERNEL not in report.kernels:
        report.problems.append(
            f"kernel {DEFAULT_KERNEL!r} is not where Jupyter looks; run `sandbox-kernel install`."
        )


def _look_at_walls(report: Report) -> None:
    """Say of each kernel with a policy of its own why it would not start."""
    for spec in kernels.installed():
        try:
            policy = spec.fixed_policy
        except PolicyError:  # which is among the faults already
            continue
        if policy is not None and (problem := missing(policy)):
            report.problems.append(f"kernel {spec.name!r} in {spec.directory} does not start: {problem}")


@contextmanager
def _open_directory() -> Iterator[Path]:
    """Make a directory that everybody may read: a container runs as somebody else."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


class _Trial(Progress):
    """Notes what is not as it should be, though a sandbox starts."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def warned(self, sentence: str) -> None:
        """Note it."""
        self._report.warnings.append(sentence)


async def _try(report: Report) -> None:
    """Start a sandbox and have it compute something."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])  # type: ignore[no-untyped-call]
    try:
        with _open_directory() as directory:
            options = RunOptions(directory=directory, timeout=TRIAL_SECONDS)
            result = await run_notebook(nb, None, options, _Trial(report))
    except SandboxError as error:
        report.problems.append(f"a sandbox does not start: {error}")
        return
    if result.outcome is Outcome.OK:
        report.trial = f"A sandbox started, ran a cell and ended in {result.duration:.1f} s."
    else:
        report.problems.append(f"a sandbox does not work: {result.sentence}")


def show(report: Report) -> None:
    """Print a report for people."""
    console = Console(markup=False, highlight=False)
    say = partial(console.print, soft_wrap=not console.is_terminal)  # a pipe has whole lines
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    console.print(Text(versions, style="dim"))
    say(Text(plain(f"Engine: {report.engine or 'none'}. {report.reason}")))
    say(Text(plain(f"Policy of kernels without one of their own: {_listed(report.policy)}")))
    if report.jupyterlab:
        say(Text(plain(f"In JupyterLab, by its configuration: {_listed(report.jupyterlab)}")))
    if report.enforcement:
        console.print(_table(report.enforcement))
    _print_machine(report, console)
    for name, directory in report.kernels.items():
        say(Text(plain(f"Kernel {name} in {directory}")))
    say(Text(f"Running sandboxes: {report.running}"))
    for directory in report.removed:
        say(Text(plain(f"Removed what a crashed program had left: {directory}")))
    if report.trial:
        say(Text(report.trial, style="green"))
    for warning in report.warnings:
        say(Text(plain(f"Warning: {warning}"), style="yellow"))
    for problem in report.problems:
        say(Text(plain(f"Problem: {problem}"), style="bold red"))


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _print_machine(report: Report, console: Console) -> None:
    """Say what a hole in the kernel would cost here, and what would make it cost less."""
    table = Table("wall", "grade", "what an exploit of the Linux kernel would meet", box=None, pad_edge=False)
    for wall in report.walls:
        name = f"{wall.engine} {wall.runtime}".strip()
        table.add_row(Text(plain(name)), Text(wall.grade or "-"), Text(plain(wall.meets)))
    console.print()
    if report.grade:
        console.print(Text(f"Grade of the wall that this policy gets: {report.grade}", style="bold"))
    console.print(table)
    say = partial(console.print, soft_wrap=not console.is_terminal)  # a pipe has whole lines
    for wall in report.walls:
        name = f"{wall.engine} {wall.runtime}".strip()
        for line in wall.weak:
            say(Text(plain(f"{name}, {line}"), style="yellow"))
    for advice in dict.fromkeys(wall.advice for wall in report.walls if wall.advice):
        say(Text(plain(f"For a better grade: {advice}")))
    for hole in report.holes:
        say(
            Text(
                plain(
                    f"{hole.program} {hole.version} is older than {hole.fixed} ({', '.join(hole.names)}). "
                    f"{hole.sandboxes} {hole.advice}"
                ),
                style="yellow",
            )
        )
    for setting in report.settings:
        say(Text(plain(f"{setting.name} is {setting.value}: {setting.matters}. Better: {setting.advice}")))
    if report.processor:
        say(
            Text(
                f"Open in this processor, as side channels for sandboxes, too: {', '.join(report.processor)}"
            )
        )
    console.print()


def _table(entries: list[Enforcement]) -> Table:
    table = Table("limit", "kept by", "what that means here", box=None, pad_edge=False)
    for entry in entries:
        style = "red" if entry.by is None else "yellow" if entry.weak else ""
        by = f"{entry.by or 'nothing'}{' (weak)' if entry.weak else ''}"
        table.add_row(Text(entry.limit), Text(by, style=style), Text(plain(entry.detail)))
    return table
