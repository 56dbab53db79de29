"""Where a run reads, works and writes, as its command line says; what would be lost by it is refused."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Destination, read_notebook
from sandbox_kernel.notebooks.document import RUN_KEY
from sandbox_kernel.policy.units import UnusableError, parse_size

SUFFIXES: Final = (".ipynb", ".json")
"""How the name of a result ends that is not there yet; as papermill has it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run reads, works and writes."""

    notebook: Path | None
    """None: standard input."""
    target: Path | None
    """None: standard output."""
    directory: Path
    given: bool
    """Whether the target's whole name is the user's."""

    @property
    def destination(self) -> Destination | None:
        """Where the run itself is to save."""
        return None if self.target is None else Destination(self.target, given=self.given)

    @property
    def name(self) -> str:
        """What messages call the notebook."""
        return str(self.notebook) if self.notebook else "the notebook on standard input"


def places(
    notebook: str, arguments: tuple[str, ...], option: str | None, *, inplace: bool, cwd: str | None
) -> Places:
    """Return the places; `arguments` is what follows NOTEBOOK, `option` what follows -o.

    :raises click.UsageError: they contradict each other, or the result's name looks like a slip.
    :raises NotebookError: one of them is not there, or holds what nobody asked to replace.
    """
    if len(arguments) > 1:
        raise click.UsageError("One run takes one notebook; start one run for each.")
    argument = next(iter(arguments), None)
    if [option is not None, argument is not None, inplace].count(True) > 1:
        raise click.UsageError("Name one place for the result: OUTPUT, -o or --inplace.")
    output = option if option is not None else argument
    _refuse_sizes(output)
    _refuse_names_of_nothing(output)
    source = None if notebook == "-" else Path(notebook)
    if source is None and inplace:
        raise click.UsageError("--inplace needs a NOTEBOOK in a file.")
    if source is not None and source.is_dir():
        raise NotebookError(f"{source} is a directory; name one notebook in it.")
    directory = Path(cwd) if cwd is not None else source.parent if source else Path()
    if not directory.is_dir():
        raise NotebookError(f"cannot start in {directory}: it is not a directory.")
    if not os.access(directory, os.X_OK):
        raise NotebookError(f"cannot start in {directory}: {os.strerror(errno.EACCES)}.")
    target = _target(source, output, inplace=inplace)
    if argument is not None and target is not None:
        _refuse_to_replace(target)
    given = inplace or (output is not None and target == Path(output))
    return Places(source, target, directory.resolve(), given)


def _target(source: Path | None, output: str | None, *, inplace: bool) -> Path | None:
    if output == "-" or (source is None and output is None):
        return None
    if source is None:
        return Path(str(output))
    if inplace:
        return source
    if output is None:
        return source.with_name(f"{source.stem}-executed.ipynb")
    target = Path(output)
    if output.endswith("/") and not target.is_dir():
        raise NotebookError(f"{output} is not a directory; make it first.")
    target = target / source.name if target.is_dir() else target
    if target.exists() and source.exists() and target.samefile(source):
        raise NotebookError(f"{target} is the notebook itself; say --inplace to replace it.")
    return target


def _refuse_names_of_nothing(output: str | None) -> None:
    """Refuse `-o results` where no directory of that name is: it would become a file without an ending.

    Nor is a directory made: it may be a misspelt one, and in a workspace it would be the cells' to find.
    """
    if output is None or output == "-" or output.endswith(SUFFIXES) or os.path.lexists(output):
        return
    if output.endswith("/"):
        raise NotebookError(f"{output} is not a directory; make it first.")
    raise NotebookError(
        f"{output} is no directory, nor a notebook's name; make the directory first, or write "
        f"{output.rstrip('.')}{SUFFIXES[0]}."
    )


def _refuse_sizes(output: str | None) -> None:
    """Refuse `--output 1m`, which means the limit of that name."""
    if output is None or Path(output).exists():
        return
    try:
        parse_size(output)
    except UnusableError:
        return
    raise click.UsageError(
        f"--output names a file, and {output!r} is a size; --output-limit limits what a cell may print."
    )


def _refuse_to_replace(target: Path) -> None:
    """Refuse a positional OUTPUT that no run has written: `run *.ipynb` names a second notebook so."""
    if not _is_file(target) or _is_result(target):
        return
    raise NotebookError(
        f"{target} exists and is not the result of a run; say -o {target} to replace it. "
        "Several notebooks take one run each."
    )


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # whatever it is, whoever writes there says what is wrong with it


def _is_result(path: Path) -> bool:
    try:
        return RUN_KEY in read_notebook(path).metadata
    except NotebookError:
        return False
