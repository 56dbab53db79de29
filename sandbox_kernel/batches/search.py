"""The notebooks of a folder, and what in it looks like one and is left alone.

Left out without a word: hidden folders (.ipynb_checkpoints among them), environments of Python,
the folder that takes the results, and results of earlier runs. Folders of earlier batches' results are
left out with a word. Links are not followed: they may lead
out of the folder, and whoever gave us the folder decides where to. Who means one names it.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox_kernel.batches.folders import MARK
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import read_notebook
from sandbox_kernel.notebooks.document import RUN_KEY

SUFFIX: Final = ".ipynb"
EXECUTED: Final = "-executed"
"""What a run appends to a notebook's name where nobody says where its result goes."""


@dataclass(slots=True)
class Found:
    """What a folder holds."""

    notebooks: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """A sentence on each thing that has a notebook's name and is not run."""


def search(directory: Path, without: Path | None = None) -> Found:
    """Return the notebooks in `directory` and the folders in it, in the order of their names.

    :param without: a folder, without links, that is not looked into.
    :raises NotebookError: a folder in it cannot be read.
    """
    found = Found()
    for folder, names in _folders(directory, without, found.remarks):
        here = set(names)
        for name in sorted(names, key=os.fsencode):
            if name.endswith(SUFFIX) and not name.startswith(".") and not _is_result(folder, name, here):
                _sort_in(folder / name, found)
    return found


def _folders(directory: Path, without: Path | None, remarks: list[str]) -> Iterator[tuple[Path, list[str]]]:
    for folder, below, names in os.walk(directory, onerror=_refuse):
        below[:] = sorted(
            (name for name in below if not name.startswith(".") and Path(folder, name).resolve() != without),
            key=os.fsencode,
        )
        if "pyvenv.cfg" in names:
            below.clear()
            continue
        if MARK in names and Path(folder) != directory:  # else somebody has named it
            remarks.append(f"{folder} is left out: it holds the results of an earlier batch.")
            below.clear()
            continue
        yield Path(folder), names


def _refuse(error: OSError) -> None:
    raise NotebookError(f"cannot look into {os.fsdecode(error.filename)}: {error.strerror}.") from error


def _sort_in(path: Path, found: Found) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        found.remarks.append(f"{path} is left out: {error.strerror}.")
        return
    if stat.S_ISREG(mode):
        found.notebooks.append(path)
    elif stat.S_ISLNK(mode):
        found.remarks.append(f"{path} is left out: it is a link; name it to run what it leads to.")
    else:
        found.remarks.append(f"{path} is left out: it is no file.")


def _is_result(folder: Path, name: str, here: set[str]) -> bool:
    """Tell whether it is what a run leaves beside a notebook: by its name, and by what it says of itself."""
    stem = name.removesuffix(SUFFIX)
    if not stem.endswith(EXECUTED):
        return False
    if stem.removesuffix(EXECUTED).partition("--")[0] + SUFFIX in here:
        return True
    try:
        return not (folder / name).is_symlink() and RUN_KEY in read_notebook(folder / name).metadata
    except NotebookError:
        return False
