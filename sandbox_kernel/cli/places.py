"""Where a run reads, works and writes, as its command line says; what would be lost by it is refused."""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click
from nbformat import NotebookNode

from sandbox_kernel.cli.streams import require_output, standard_input
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Destination, papermill, read_notebook
from sandbox_kernel.notebooks.document import RUN_KEY
from sandbox_kernel.notebooks.files import load_notebook
from sandbox_kernel.notebooks.parameters import fill, inferred
from sandbox_kernel.notebooks.remote import Address, RemoteDestination, local, place
from sandbox_kernel.notebooks.script import is_script, notebook_name
from sandbox_kernel.notebooks.sources import read_source
from sandbox_kernel.policy.units import UnusableError, parse_size

SUFFIXES: Final = (".ipynb", ".json")
"""How the name of a result ends that is not there yet; as papermill has it."""


Place = Path | Address


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run reads, works and writes."""

    notebook: Place | None
    """None: standard input."""
    target: Place | None
    """None: standard output."""
    directory: Path
    given: bool
    """Whether the target's whole name is the user's."""
    folder: Path | None = None
    """What is to be made for the target; None: nothing."""

    @property
    def destination(self) -> Destination | None:
        """Where the run itself is to save."""
        if isinstance(self.target, Address):
            return RemoteDestination(self.target)
        return None if self.target is None else Destination(self.target, given=self.given)

    @property
    def name(self) -> str:
        """What messages call the notebook."""
        return str(self.notebook) if self.notebook else "the notebook on standard input"

    def read(self) -> NotebookNode:
        """Return the notebook.

        :raises NotebookError: it cannot be read, or is none.
        """
        return read_source(self.notebook) if self.notebook else load_notebook(standard_input(), self.name)


def places(
    notebook: str,
    arguments: tuple[str, ...],
    option: str | None,
    *,
    inplace: bool,
    cwd: str | None,
    parameters: Mapping[str, object] = MappingProxyType({}),
    ending: str = "executed",
) -> Places:
    """Return the places; `arguments` is what follows NOTEBOOK, `option` what follows -o.

    :param parameters: may stand in names, as `out-{alpha}.ipynb`.
    :param ending: what a result is called that nobody has named: NAME-executed.ipynb.
    :raises click.UsageError: they contradict each other, or the result's name looks like a slip.
    :raises NotebookError: one of them is not there, or holds what nobody asked to replace.
    """
    argument = next(iter(arguments), None)
    if [option is not None, argument is not None, inplace].count(True) > 1:
        raise click.UsageError("Name one place for the result: OUTPUT, -o or --inplace.")
    source = _source(notebook, parameters, inplace=inplace)
    output = _filled(option if option is not None else argument, source, parameters)
    _refuse_sizes(output)
    _refuse_names_of_nothing(output, source)
    directory = _directory(source, cwd)
    target = _target(source, output, ending, inplace=inplace)
    if argument is not None and isinstance(target, Path):
        _refuse_to_replace(target)
    given = inplace or (output is not None and target == Path(output))
    new = _new_folder(output, target)
    if new is None and isinstance(target, Path):
        _require_folder(target)
    return Places(source, target, directory.resolve(), given, new)


def _source(notebook: str, parameters: Mapping[str, object], *, inplace: bool) -> Place | None:
    if notebook == "-":
        if inplace:
            raise click.UsageError("--inplace needs a NOTEBOOK in a file.")
        return None
    there = os.path.lexists(notebook)
    source = place(notebook if there else fill(notebook, parameters))
    if isinstance(source, Path) and source.is_dir():
        raise NotebookError(f"{source} is a directory; name one notebook in it.")
    if inplace and is_script(str(source)):
        raise click.UsageError("--inplace would replace a script by a notebook; name a place for it with -o.")
    return source


def _filled(output: str | None, source: Place | None, parameters: Mapping[str, object]) -> str | None:
    """Return the result's name with parameters in it, and `{notebook_name}` as for `jupyter execute`."""
    if output is None or output == "-":
        return output
    own = {"notebook_name": _name(source).removesuffix(SUFFIXES[0])} if source else {}
    return local(fill(output, {**own, **parameters}, lambda: _declared(source)))


def _declared(source: Place | None) -> set[str]:
    """Return the names of the notebook's parameters; none of one that is elsewhere, or cannot be read."""
    with suppress(NotebookError):
        if isinstance(source, Path):
            return {parameter.name for parameter in inferred(read_source(source))}
    return set()


def _name(source: Place) -> str:
    return source.path.name if isinstance(source, Address) else source.name


def _directory(source: Place | None, cwd: str | None) -> Path:
    directory = Path(cwd) if cwd is not None else source.parent if isinstance(source, Path) else Path()
    if not directory.is_dir():
        raise NotebookError(f"cannot start in {directory}: it is not a directory.")
    if not os.access(directory, os.X_OK):
        raise NotebookError(f"cannot start in {directory}: {os.strerror(errno.EACCES)}.")
    return directory


def _target(source: Place | None, output: str | None, ending: str, *, inplace: bool) -> Place | None:
    if output == "-" or (source is None and output is None):
        require_output()
        return None
    if inplace:
        return source
    if output is None and source is not None:
        name = f"{Path(_name(source)).stem}-{ending}.ipynb"
        return source.with_name(name) if isinstance(source, Path) else Path(name)
    target = place(str(output))
    if source is None:
        return target
    name = notebook_name(_name(source))
    if isinstance(target, Address):
        return target.joined(name) if str(output).endswith("/") else target
    return _file(source, str(output), target, name)


def _file(source: Place, output: str, target: Path, name: str) -> Path:
    """Return the file that takes the result, in `target` where that is a directory, or is to become one."""
    target = target / name if output.endswith("/") or target.is_dir() else target
    if isinstance(source, Path) and target.exists() and source.exists() and target.samefile(source):
        raise NotebookError(f"{target} is the notebook itself; say --inplace to replace it.")
    return target


def _refuse_names_of_nothing(output: str | None, source: Place | None) -> None:
    """Refuse `-o results` where no directory of that name is: it would become a file without an ending.

    Nor is a directory made, for it may be a misspelt one; `-o results/` says that it is meant.
    """
    if output is None or output == "-" or output.endswith(SUFFIXES) or os.path.lexists(output):
        return
    address = place(output)
    if isinstance(address, Address) and address.path.name.endswith(SUFFIXES):
        return  # with a signature behind its name, perhaps
    if output.endswith("/"):
        if not isinstance(address, Address):
            _refuse_no_folder(output, address, source)
        return
    raise NotebookError(
        f"{output} is no directory, nor a notebook's name; make the directory first, or write "
        f"{output.rstrip('.')}{SUFFIXES[0]}."
    )


def _new_folder(output: str | None, target: Place | None) -> Path | None:
    """Return the folder that is to be made for the target; None: it is there, or nobody asks for one."""
    if output is None or not output.endswith("/") or not isinstance(target, Path):
        return None
    return None if target.parent.is_dir() else target.parent


def _refuse_no_folder(output: str, folder: Path, source: Place | None) -> None:
    """Refuse a folder that cannot be made, or for a notebook on standard input, which has no name in it."""
    if source is None or os.path.lexists(folder):
        raise NotebookError(f"{output} is not a directory; make it first.")
    if not folder.parent.is_dir():
        raise NotebookError(f"{output}: {folder.parent} is not a directory; make it first.")


def _require_folder(target: Path) -> None:
    """Refuse a result for which there is no folder: it is not made, for its name may be misspelt."""
    try:
        target.parent.stat()
    except FileNotFoundError as error:
        raise NotebookError(
            f"cannot write {target}: there is no folder {target.parent}; make it first."
        ) from error
    except OSError:
        return  # whoever writes there says what is wrong with it


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
    both = "To run both, name a directory for their results: -o DIR."
    replace = f" To replace it, say -o {target}." if target.suffix in SUFFIXES else ""
    raise NotebookError(f"{target} exists and is not the result of a run. {both}{replace}")


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # whatever it is, whoever writes there says what is wrong with it


def _is_result(path: Path) -> bool:
    try:
        return not {RUN_KEY, papermill.KEY}.isdisjoint(read_notebook(path).metadata)
    except NotebookError:
        return False
