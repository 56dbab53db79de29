"""papermill's options: those that a run has as well, and what to do instead of the others.

They are spelled as papermill spells them, so that what people have written for it goes on to work.
Nothing is read here: `preparing` does that, once a run is to begin.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

from sandbox_kernel.cli import policy_options

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """What was written of papermill's options."""

    parameters: Pairs = ()
    parameters_raw: Pairs = ()
    parameters_file: tuple[str, ...] = ()
    parameters_yaml: tuple[str, ...] = ()
    parameters_base64: tuple[str, ...] = ()
    inject_input_path: bool = False
    inject_output_path: bool = False
    inject_paths: bool = False
    language: str | None = None
    prepare_only: bool = False
    report_mode: bool = False
    help_notebook: bool = False
    stdout_file: str | None = None
    stderr_file: str | None = None


def _pairs(*flags: str, help: str) -> Callable[..., Any]:  # noqa: A002 -- click's word
    return click.option(*flags, nargs=2, multiple=True, metavar="NAME VALUE", help=help, **_REMEMBERED)


def _texts(*flags: str, metavar: str, help: str) -> Callable[..., Any]:  # noqa: A002
    return click.option(*flags, multiple=True, metavar=metavar, help=help, **_REMEMBERED)


def _flag(*flags: str, help: str, **more: Any) -> Callable[..., Any]:  # noqa: A002
    return click.option(*flags, is_flag=True, default=False, help=help, **more, **_REMEMBERED)


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(__name__, {})[str(parameter.name)] = value


_REMEMBERED: dict[str, Any] = {"expose_value": False, "callback": _remember}


def _refused(*flags: str, instead: str, **more: Any) -> Callable[..., Any]:
    """Return an option that is not in the help, and says when it is used what to do instead."""

    def refuse(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False, ()):
            raise click.UsageError(f"{parameter.opts[0]} is papermill's: {instead}", ctx)

    return click.option(*flags, hidden=True, expose_value=False, callback=refuse, **more)


_OPTIONS = (
    _pairs("-p", "--parameters", help="Set a parameter; True, None, 3 and 0.5 are what they look like."),
    _pairs("-r", "--parameters_raw", "--parameters-raw", help="Set a parameter to this text."),
    _texts(
        "-f", "--parameters_file", "--parameters-file", metavar="FILE",
        help="Set the parameters in a YAML or JSON file.",
    ),
    _texts(
        "-y", "--parameters_yaml", "--parameters-yaml", metavar="YAML",
        help="Set the parameters in this text.",
    ),
    _texts(
        "-b", "--parameters_base64", "--parameters-base64", metavar="BASE64",
        help="The same, in base64.",
    ),
    _flag("--inject-input-path", help="Set the parameter PAPERMILL_INPUT_PATH."),
    _flag("--inject-output-path", help="Set the parameter PAPERMILL_OUTPUT_PATH."),
    _flag("--inject-paths", help="Set both."),
    click.option(
        "-l", "--language", metavar="NAME", help="The notebook's language, whatever it says.", **_REMEMBERED
    ),
    _flag("--prepare-only/--prepare-execute", help="Save the notebook with its parameters; run nothing."),
    _flag("--report-mode/--no-report-mode", help="Have the executed notebook hide its code."),
    _flag("--help-notebook", help="Show the notebook's parameters; run nothing."),
    click.option("--stdout-file", metavar="FILE", help="Write there what cells print.", **_REMEMBERED),
    click.option("--stderr-file", metavar="FILE", help="The same, for standard error.", **_REMEMBERED),
    _refused(
        "--autosave-cell-every", metavar="SECONDS",
        instead="a run is saved after every cell, and however it ends; leave it out.",
    ),
    _refused(
        "--request-save-on-cell-execute", "--no-request-save-on-cell-execute", is_flag=True,
        instead="a run is saved after every cell; leave it out, or say `-o -` to have it printed only.",
    ),
    _refused(
        "--log-level", metavar="LEVEL",
        instead="say --log-output to see what cells print, or -q to see less.",
    ),
)  # fmt: skip


_ENGINES = {"nbclient", "sandbox"}
"""Names of papermill's engines that people write."""


def papermill_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; `given` returns what was written."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(ctx: click.Context) -> Habits:
    """Return what was written of them on the command line.

    :raises click.UsageError: --engine names one of papermill's engines.
    """
    if policy_options.written(ctx).get("engine") in _ENGINES:
        raise click.UsageError(
            "--engine says how the wall is built (auto, bubblewrap, docker, podman), not what executes "
            "cells; leave it out.",
            ctx,
        )
    remembered = ctx.meta.get(__name__, {})
    return Habits(
        **{field.name: remembered[field.name] for field in fields(Habits) if field.name in remembered}
    )
