"""One command-line option per policy field, from one table.

Values are passed on as they were written: `sandbox_kernel.policy` alone reads, checks and refuses
them, so a command line, a kernelspec and an environment variable mean the same. The one exception
is a mount's path, which may be relative to where the command runs.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.policy import (
    ENVIRONMENT_PREFIX,
    FIELD_NAMES,
    Layer,
    Policy,
    layer_from_environment,
)
from sandbox_kernel.policy.fields import split_mount

_SOURCE = "--{option}"
_LIMITS = ("output", "outputs", "message", "code")
"""Fields whose option has `-limit` at its end: everywhere else `--output` is a file's name."""

HELP: Mapping[str, tuple[str, str]] = {
    "profile": ("NAME", "Start from this profile: default, or strict (256m, half a core, no files, 2 s)."),
    "engine": ("NAME", "How the wall is built: auto, bubblewrap, docker, podman."),
    "image": ("NAME", "The container's image (docker, podman); see `sandbox-kernel image`."),
    "runtime": ("NAME", "What runs the container: gvisor, kata, or what the daemon calls it."),
    "memory": ("SIZE", "Memory of all processes together, swap included, e.g. 512m."),
    "cpus": ("N", "CPU cores, e.g. 1.5."),
    "pids": ("N", "Processes and threads."),
    "tmp": ("SIZE", "Space in each of /tmp, the home directory and /dev/shm."),
    "files": ("N", "Open files of each process."),
    "workspace": ("MODE", "How the notebook's directory is shared: none, ro, rw."),
    "network": ("MODE", "none: nothing but the loopback interface."),
    "mounts": ("PATH[:ro|:rw]", "One more path of this machine to share, read-only unless :rw. Repeatable."),
    "env": ("NAME", "One variable of this environment to pass in. Repeatable."),
    "secrets": (
        "NAME[=file:PATH]",
        "Pass in the variable NAME, or a file's content, in $SANDBOX_SECRETS/NAME; mask it. Repeatable.",
    ),
    "preload": ("MODULE", "One module that kernels have imported when they start. Repeatable."),
    "start_timeout": ("TIME", "Deadline of the kernel's start."),
    "cell_timeout": ("TIME", "Deadline of each cell, e.g. 90, 5m, none."),
    "session_timeout": ("TIME", "Deadline of the kernel's whole life."),
    "idle_timeout": ("TIME", "How long a kernel may idle, with nobody asking for anything."),
    "output": ("SIZE", "What one cell may send; the rest is dropped with a notice."),
    "output_rate": ("SIZE", "What may be sent in a second, on average over ten, e.g. 1m."),
    "outputs": ("N", "Outputs of one cell: displays, results, errors, runs of text."),
    "message": ("SIZE", "Longest single output."),
    "html": ("MODE", "Active output (HTML, scripts, widgets) in the browser: isolate, strip, trust."),
    "code": ("SIZE", "Longest cell that is let in."),
}
"""Field name → what stands for its value in the help, and the help."""

_PREFIX = "policy_"
"""Before the names of our parameters, which must differ from those of each command's own."""

_REPEATED = {"mounts": "--mount", "env": "--env", "secrets": "--secret", "preload": "--preload"}


def policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; it gets what was given as keyword `policy`, checked."""
    for name in reversed(FIELD_NAMES):
        metavar, text = HELP[name]
        option = click.option(
            *flags(name),
            _PREFIX + name,
            metavar=metavar,
            help=text,
            multiple=name in _REPEATED,
            expose_value=False,
            callback=_remember,
        )
        command = option(command)
    return command


def alias(flag: str, name: str) -> Callable[..., Any]:
    """Return another spelling of a field's option, for those who know it from elsewhere; not in the help."""
    return click.option(flag, _PREFIX + name, hidden=True, expose_value=False)


def flags(name: str) -> list[str]:
    """Return how a field's option is spelled, the usual way first."""
    long = f"--{name.replace('_', '-')}{'-limit' if name in _LIMITS else ''}"
    return list(dict.fromkeys([_REPEATED.get(name, long), long]))


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value == ():
        return
    given: dict[str, str] = ctx.meta.setdefault(__name__, {})
    name, text = (
        str(parameter.name).removeprefix(_PREFIX),
        ",".join(value) if isinstance(value, tuple) else value,
    )
    complete = {"mounts": _absolute, "secrets": _absolute_secret}.get(name)
    given[name] = ",".join(map(complete, text.split(","))) if complete else text


def _absolute(mount: str) -> str:
    """Return a mount with ./x and ~ filled in: only a command line knows what they are relative to."""
    head, colon, mode = mount.strip().rpartition(":")
    path, ending = (head, colon + mode) if head and mode in ("ro", "rw") else (mount.strip(), "")
    full = _from_here(path)
    if not ending and ":" in full and ":" not in path:  # a colon of ours is no beginning of a mode
        ending = ":ro"
    return full + ending


def _absolute_secret(secret: str) -> str:
    """Return a secret whose file's path is filled in likewise."""
    head, source, path = secret.strip().partition("=file:")
    return head + source + (_from_here(path) if source else "")


def _from_here(path: str) -> str:
    written = os.path.expanduser(path)  # noqa: PTH111 -- Path's raises where there is no such user
    if not written or written.startswith("/"):
        return written
    full = Path.cwd() / written
    return str(full.resolve() if ".." in full.parts else full)


def given(ctx: click.Context) -> dict[str, str]:
    """Return the policy options that were written on the command line, checked by themselves.

    :raises PolicyError: one of them is not usable.
    """
    settings = written(ctx)
    with naming_options(settings):
        Policy.from_layers(layers(settings))
    return settings


def written(ctx: click.Context) -> dict[str, str]:
    """Return the policy options that were written on the command line, as they were written."""
    return dict(ctx.meta.get(__name__, {}))


def layers(settings: Mapping[str, str]) -> list[Layer]:
    """Return the options as layers, one for each way in which options are spelled."""
    limits = {name: value for name, value in settings.items() if name in _LIMITS}
    others = {name: value for name, value in settings.items() if name not in _LIMITS}
    return [Layer(others, _SOURCE), Layer(limits, f"{_SOURCE}-limit")]


def to_environment(settings: Mapping[str, str]) -> Policy:
    """Put the options into this process's environment, above what is there; return the whole policy.

    :raises PolicyError: the environment's part, or the whole, is not usable.
    """
    below = layer_from_environment(os.environ)
    with naming_options(settings):
        policy = Policy.from_layers([below, *layers(settings)])
    if "profile" in settings:  # a profile starts afresh
        for name in below.settings:
            del os.environ[ENVIRONMENT_PREFIX + name.upper()]
    for name in policy.env if "env" in settings else ():
        if name not in os.environ:
            click.echo(
                f"sandbox-kernel: --env {name}: no such variable is set here, so none is passed.", err=True
            )
    os.environ.update({ENVIRONMENT_PREFIX + name.upper(): value for name, value in settings.items()})
    return policy


def asked() -> frozenset[str]:
    """Return the fields that options (`to_environment`) and environment set, for kernels that heed those."""
    return frozenset(layer_from_environment(os.environ).settings)


@contextlib.contextmanager
def naming_options(settings: Mapping[str, str]) -> Iterator[None]:
    """Name the option where what was given as one is refused later: by then it is in the environment.

    :raises SandboxError: as raised within.
    """
    try:
        yield
    except SandboxError as error:
        raise type(error)(with_options(str(error), settings)) from error


def with_options(sentence: str, settings: Mapping[str, str]) -> str:
    """Return a refusal with options in the place of the variables and fields that they went into."""
    for name in settings:
        named = rf"\b{ENVIRONMENT_PREFIX}{name.upper()}\b(?!=)|'{name}'"
        sentence = re.sub(named, flags(name)[0], sentence)
    if "secrets" in settings:
        sentence = re.sub(r"^The secret(?= \w+ )", "--secret", sentence)
    paths = (split_mount(entry).path for entry in settings.get("mounts", "").split(",") if entry)
    return f"--mount: {sentence}" if any(sentence.startswith(f"{path} ") for path in paths) else sentence
