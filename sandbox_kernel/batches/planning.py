"""From what somebody names (notebooks, folders, a manifest) to a plan.

Where results go: the folder of results mirrors the folders of the notebooks, from the one on that all
have in common which are named, and those of named notebooks; so `a/x.ipynb` and `b/x.ipynb` become
OUT/a/x.ipynb and OUT/b/x.ipynb. What was named decides, not what is found in it: with `a/` and `b/` it is
OUT/a/x.ipynb also on the day when `b/` is empty. Without a folder of results each goes beside its
notebook, as NAME-executed.ipynb.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sandbox_kernel.batches.manifest import Entry
from sandbox_kernel.batches.naming import SUFFIX, label, result_name, safe_name, shown
from sandbox_kernel.batches.plan import MAX_JOBS, Job, refuse_duplicates
from sandbox_kernel.batches.remarks import Remarks
from sandbox_kernel.batches.search import EXECUTED, search
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.near import reason

_FIELD: Final = re.compile(r"\{(\w*)\}")

EMPTY: Final = " holds no notebook to run."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a batch is asked for."""

    inputs: Sequence[str] = ()
    """Notebooks and folders, as the user wrote them."""
    entries: Sequence[Entry] = ()
    """What a manifest asks for."""
    manifest: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """For every run, beside its own."""
    output: Path | None = None
    """The folder of results; None: each result goes beside its notebook."""
    directory: Path | None = None
    """Where kernels start; None: beside their notebooks."""
    timeout: float | None = None
    """Of each run that has no other."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs of a batch, and what should be said of it before it begins."""

    jobs: tuple[Job, ...]
    output: Path | None
    """The folder of results, without links; None: there is no single one."""
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Notebook:
    path: Path
    """As the user knows it."""
    folder: Path
    """The folder that it is in, without links."""
    group: str
    """The name by which it was found."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What looking for notebooks has come upon, beside them."""

    remarks: Remarks = field(default_factory=Remarks)
    bases: list[Path] = field(default_factory=list)
    """The folders, without links, that were named, and those of named notebooks."""


def make_plan(wanted: Wanted) -> Plan:
    """Return the plan; nothing is made or changed.

    :raises NotebookError: something that was named is not there, or two results would have one place.
    """
    output = _root(wanted)
    seen = _Seen()
    runs = list(_runs(wanted, output, seen))
    if not runs:
        raise NotebookError(_nothing(wanted, seen.remarks.told()))
    if len(runs) > MAX_JOBS:
        raise NotebookError(f"these are {len(runs)} runs; {MAX_JOBS} are the most of one batch: split it.")
    root = Path(os.path.commonpath(seen.bases))
    jobs = tuple(_job(wanted, entry, notebook, root, output) for entry, notebook in runs)
    refuse_duplicates(jobs)
    return Plan(jobs, output, seen.remarks.told())


def _root(wanted: Wanted) -> Path | None:
    """Return the folder of results: the manifest's own where entries name places and nobody else does."""
    if wanted.output is not None:
        return wanted.output.resolve()
    if wanted.manifest and any(entry.output for entry in wanted.entries):
        return wanted.manifest.parent.resolve()
    return None


def _nothing(wanted: Wanted, remarks: Sequence[str]) -> str:
    where = ", ".join(wanted.inputs)
    more = [remark for remark in remarks if not remark.endswith(EMPTY)][:3]
    scripts = "Scripts are run where they are named: FOLDER/*.py."
    return " ".join([f"there is no notebook to run in {where}.", *more, scripts])


def _runs(wanted: Wanted, output: Path | None, seen: _Seen) -> Iterator[tuple[Entry, _Notebook]]:
    found = (found for name in wanted.inputs for found in _find(Path(name), name, output, seen))
    named = list({(notebook.folder, notebook.path.name): notebook for notebook in found}.values())
    if not wanted.entries:
        yield from ((Entry("", None), notebook) for notebook in named)
        return
    if named and all(entry.notebook for entry in wanted.entries):
        raise NotebookError(f"{wanted.manifest} names its notebooks itself; leave {wanted.inputs[0]} out.")
    for entry in wanted.entries:
        if entry.notebook is None and not named:
            raise NotebookError(
                f"{entry.where}: this is read as a manifest, a list of runs, and no notebook is named: "
                "neither there ('notebook'), nor on the command line before the manifest."
            )
        yield from ((entry, notebook) for notebook in _of(entry, wanted, output, seen) or named)


def _of(entry: Entry, wanted: Wanted, output: Path | None, seen: _Seen) -> list[_Notebook]:
    """Return the notebooks that an entry names, relative to its manifest's folder."""
    if entry.notebook is None:
        return []
    folder = wanted.manifest.parent if wanted.manifest else Path()
    try:
        return list(_find(folder / entry.notebook, entry.notebook, output, seen))
    except NotebookError as error:
        raise NotebookError(f"{entry.where}: {error}") from error


def _find(path: Path, source: str, output: Path | None, seen: _Seen) -> Iterator[_Notebook]:
    """Yield the notebooks that a name stands for.

    :raises NotebookError: it stands for none.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        why = reason(error, path) if isinstance(error, OSError) else "no file can have this name."
        raise NotebookError(f"cannot read {path}: {why}") from error
    if not real.is_dir():
        folder = path.parent.resolve()
        seen.bases.append(folder)
        yield _Notebook(path, folder, source)
        return
    seen.bases.append(real)
    found = search(path, seen.remarks, output)
    if not found:
        seen.remarks.add(f"{path}{EMPTY}")
    for notebook in found:
        yield _Notebook(notebook, (real / notebook.relative_to(path)).parent, source)


def _job(wanted: Wanted, entry: Entry, notebook: _Notebook, root: Path, output: Path | None) -> Job:
    both = sorted(wanted.parameters.keys() & entry.parameters.keys())
    if both:
        raise NotebookError(
            f"{entry.where}: the command line sets {both[0]!r} as well; leave one of them out."
        )
    return Job(
        notebook=notebook.path,
        real=(notebook.folder / notebook.path.name).resolve(),
        output=_place(wanted, entry, notebook, root, output),
        directory=wanted.directory.resolve() if wanted.directory else notebook.folder,
        parameters={**wanted.parameters, **entry.parameters},
        label=label(entry.parameters),
        timeout=wanted.timeout if entry.timeout is None else entry.timeout,
        group=notebook.group,
        where=entry.where,
    )


def _place(wanted: Wanted, entry: Entry, notebook: _Notebook, root: Path, output: Path | None) -> Path:
    """Return where a result goes."""
    name = notebook.path.name
    if entry.output is not None and output is not None:
        return output.joinpath(*_written_place(entry, name))
    if wanted.output is None or output is None:
        return notebook.folder / result_name(name, label(entry.parameters), EXECUTED)
    folders = map(safe_name, notebook.folder.relative_to(root).parts)
    return output.joinpath(*folders, result_name(name, label(entry.parameters)))


def _written_place(entry: Entry, notebook: str) -> list[str]:
    """Return the folders and the name that a manifest writes, with {parameters} filled in.

    :raises NotebookError: it lies elsewhere, is no notebook's, or names what the run has not.
    """
    values = {"notebook": PurePosixPath(notebook).stem, **entry.parameters}
    unknown = [name for name in _FIELD.findall(str(entry.output)) if name not in values]
    if unknown:
        raise NotebookError(
            f"{entry.where}: the output names {{{unknown[0]}}}, which this run has no parameter for."
        )
    place = PurePosixPath(_FIELD.sub(lambda found: shown(values[found[1]]), str(entry.output)))
    if place.is_absolute() or ".." in place.parts:
        raise NotebookError(f"{entry.where}: the output {place} is not below the folder of results.")
    if place.suffix != SUFFIX:
        raise NotebookError(
            f"{entry.where}: the output {place} is no notebook's name; let it end in {SUFFIX}."
        )
    return [safe_name(part) for part in place.parts]
