"""What is done to a notebook before it runs, and instead of running it: parameters, as papermill has them."""

import time
from collections.abc import Mapping
from typing import Any, Final

import click
from nbformat import NotebookNode

from sandbox_kernel.cli import kernels
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.papermill_options import Habits
from sandbox_kernel.cli.places import Places
from sandbox_kernel.cli.streams import print_notebook
from sandbox_kernel.errors import ExitCode, NotebookError
from sandbox_kernel.notebooks import papermill
from sandbox_kernel.notebooks.destination import READER_SECONDS
from sandbox_kernel.notebooks.document import for_saving
from sandbox_kernel.notebooks.files import to_text
from sandbox_kernel.notebooks.parameters import Parameter, inferred, parameterize
from sandbox_kernel.notebooks.parameters.cell import DEFAULTS_TAG, tagged

_PYTHON: Final = ("python", "ipython")
_COLUMN: Final = 34
"""Where comments begin in a list of parameters."""


def read_parameters(habits: Habits) -> dict[str, Any]:
    """Return the parameters that the command line sets.

    :raises NotebookError: one of them cannot be read.
    """
    sources = (
        habits.parameters_base64, habits.parameters_file, habits.parameters_yaml,
        habits.parameters, habits.parameters_raw,
    )  # fmt: skip
    if not any(sources):
        return {}
    from sandbox_kernel.notebooks.parameters.reading import together

    return together(encoded=sources[0], files=sources[1], texts=sources[2], typed=sources[3], raw=sources[4])


def prepare(
    nb: NotebookNode, where: Places, habits: Habits, parameters: Mapping[str, object], kernel: str | None
) -> list[str]:
    """Put the parameters into the notebook, and note them in its metadata; return what to warn of.

    :raises NotebookError: the notebook is in another language, or a parameter cannot be written.
    """
    source, target = str(where.notebook or "-"), str(where.target or "-")
    paths = {}
    if habits.inject_input_path or habits.inject_paths:
        paths["PAPERMILL_INPUT_PATH"] = source
    if habits.inject_output_path or habits.inject_paths:
        paths["PAPERMILL_OUTPUT_PATH"] = target
    parameters = {**paths, **parameters}
    if parameters and not is_python(language := language_of(nb, habits, kernel)):
        raise NotebookError(
            f"parameters are written as Python, and {where.name} is in {language:.80}; set them there."
        )
    papermill.prepare(nb, source, target)
    warnings = parameterize(nb, parameters, report=habits.report_mode)
    papermill.note_parameters(nb, parameters)
    return warnings


def language_of(nb: NotebookNode, habits: Habits, kernel: str | None) -> str:
    """Return the language that a notebook is in: as its kernel has it, if one was named, else as it says."""
    spec, info = nb.metadata.get("kernelspec", {}), nb.metadata.get("language_info", {})
    named = kernels.language(kernel) if kernel else None
    says = spec.get("language") or info.get("name") or kernels.language(str(spec.get("name"))) or "python"
    return str(habits.language or named or says)


def is_python(language: str) -> bool:
    """Tell whether it is what we write parameters in, and run where nobody names a kernel."""
    return language.lower() in _PYTHON


def save_only(nb: NotebookNode, where: Places) -> int:
    """Save the notebook as it is, with what is in it of an earlier run; return the exit code.

    :raises NotebookError: it cannot be written.
    """
    text = to_text(for_saving(nb))
    if (destination := where.destination) is None:
        print_notebook(text)
        return ExitCode.OK
    with destination:
        for _ in destination.write(text.encode()):
            time.sleep(READER_SECONDS)
    click.echo(f"prepared, not run → {plain(str(where.target))}", err=True)
    return ExitCode.OK


def show_parameters(nb: NotebookNode, where: Places) -> int:
    """Print which parameters the notebook has; return 1 if it has no cell for them, as papermill does."""
    if tagged(nb, DEFAULTS_TAG) is None:
        click.echo(f"{plain(where.name)} has no cell tagged 'parameters'.")
        return ExitCode.CELL_ERROR
    found = inferred(nb)
    click.echo(
        f"Parameters of {plain(where.name)}:"
        if found
        else f"{plain(where.name)} sets none in its parameters cell."
    )
    for parameter in found:
        click.echo(_line(parameter))
    return ExitCode.OK


def _line(parameter: Parameter) -> str:
    shown = plain(f"  {parameter.name}: {parameter.type or 'unknown type'} (default {parameter.default})")
    comment = plain(parameter.help)
    gap = "\n" + " " * _COLUMN if len(shown) >= _COLUMN else " " * (_COLUMN - len(shown))
    return shown + (gap + comment if comment else "")
