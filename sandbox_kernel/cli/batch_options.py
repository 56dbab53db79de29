"""The options of `sandbox-kernel run` that are about many notebooks, and when a run is one of many."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from sandbox_kernel.cli.duration import seconds

MANIFESTS: Final = (".yaml", ".yml", ".csv")
"""How the name of a manifest ends."""
REPORTS: Final = ("html", "json", "junit")

_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "--manifest": {
        "metavar": "FILE",
        "help": "Run what this YAML or CSV file lists: notebooks, each with sets of parameters.",
    },
    "--jobs": {
        "metavar": "N",
        "type": click.IntRange(1, 1000),
        "help": "How many notebooks run at once.  [default: what cores and memory allow]",
    },
    "--resume": {
        "is_flag": True,
        "help": "Leave out what an earlier batch has done, where nothing has changed.",
    },
    "--fail-fast/--keep-going": {
        "help": "Stop at the first notebook that does not end well, or run them all."
    },
    "--retries": {
        "metavar": "N",
        "type": click.IntRange(0, 100),
        "default": 2,
        "help": "Tries again after a kernel is lost or does not start; never after an error.  [default: 2]",
    },
    "--batch-timeout": {
        "metavar": "TIME",
        "callback": seconds,
        "help": "Deadline of all notebooks together.",
    },
    "--report": {
        "metavar": "KIND=FILE",
        "multiple": True,
        "help": f"Also write a report: {', '.join(REPORTS)}. Repeatable.",
    },
}
"""How each is spelled, and what it is."""


def batch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; `wanted` and `given` find what was given."""
    for spelling, settings in reversed(_OPTIONS.items()):
        callback = settings.get("callback")
        option = click.option(
            *spelling.split(" "), **{**settings, "expose_value": False, "callback": _remembering(callback)}
        )
        command = option(command)
    return command


def _remembering(check: Callable[..., Any] | None) -> Callable[..., None]:
    def remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        source = ctx.get_parameter_source(str(parameter.name))
        checked = check(ctx, parameter, value) if check else value
        given(ctx)[str(parameter.name)] = checked
        if source is click.core.ParameterSource.COMMANDLINE:
            _named(ctx).append(str(parameter.opts[0]))

    return remember


def given(ctx: click.Context) -> dict[str, Any]:
    """Return the value of each option, by its name with underscores."""
    found: dict[str, Any] = ctx.meta.setdefault(f"{__name__}.given", {})
    return found


def _named(ctx: click.Context) -> list[str]:
    found: list[str] = ctx.meta.setdefault(f"{__name__}.named", [])
    return found


def wanted(ctx: click.Context, inputs: Sequence[str], output: str | None) -> bool:
    """Tell whether many notebooks are meant: by an option, a folder, a manifest, or their number.

    Two names without -o are NOTEBOOK and OUTPUT, as papermill has them.
    """
    if _named(ctx) or len(inputs) > 2 or (len(inputs) == 2 and output is not None):
        return True
    first = inputs[0] if inputs else ""
    return (len(inputs) == 1 and first.endswith(MANIFESTS)) or (
        bool(first) and first != "-" and Path(first).is_dir()
    )
