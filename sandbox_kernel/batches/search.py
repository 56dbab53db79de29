"""The notebooks of a folder, and what in it looks like one and is left alone.

Left out without a word: hidden folders (.ipynb_checkpoints among them), environments of Python,
the folder that takes the results, and results of earlier runs. Folders of earlier batches' results are
left out with a word, and so are folders too deep. Links are not followed: they may lead
out of the folder, and whoever gave us the folder decides where to. Who means one names it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sandbox_kernel.batches.folders import MARK
from sandbox_kernel.batches.plan import MAX_JOBS
from sandbox_kernel.batches.remarks import Remarks
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import read_notebook
from sandbox_kernel.notebooks.document import RUN_KEY
from sandbox_kernel.notebooks.walk import walk

SUFFIX: Final = ".ipynb"
EXECUTED: Final = "-executed"
"""What a run appends to a notebook's name where nobody says where its result goes."""


def search(directory: Path, remarks: Remarks, without: Path | None = None) -> list[Path]:
    """Return the notebooks in `directory` and the folders in it, in the order of their names.

    :param remarks: told of each thing that has a notebook's name and is not run.
    :param without: a folder, without links, that is not looked into.
    :raises NotebookError: a folder in it cannot be read, or it holds more notebooks than a batch runs.
    """
    found: list[Path] = []
    for folder, names in _folders(directory, without, remarks):
        here = set(names)
        for name in sorted(names, key=os.fsencode):
            if not name.endswith(SUFFIX) or name.startswith(".") or _is_result(folder, name, here):
                continue
            if why := _left_out(folder / name):
                remarks.add(f"{folder / name} is left out: {why}.")
                continue
            found.append(folder / name)
            if len(found) > MAX_JOBS:
                raise NotebookError(
                    f"{directory} holds more than {MAX_JOBS} notebooks, the most of one batch: "
                    "name folders in it, some at a time."
                )
    return found


def _folders(directory: Path, without: Path | None, remarks: Remarks) -> Iterator[tuple[Path, list[str]]]:
    def leave_out(folder: Path) -> None:
        remarks.add(f"{folder} is left out: it is too deep, or its path too long.")

    for folder, below, names in walk(directory, refused=_refuse, too_deep=leave_out):
        below[:] = sorted(
            (name for name in below if not name.startswith(".") and (folder / name).resolve() != without),
            key=os.fsencode,
        )
        if "pyvenv.cfg" in names:
            below.clear()
            continue
        if MARK in names and folder != directory:  # else somebody has named it
            remarks.add(f"{folder} is left out: it holds the results of an earlier batch.")
            below.clear()
            continue
        yield folder, names


def _refuse(error: OSError) -> None:
    raise NotebookError(f"cannot look into {os.fsdecode(error.filename)}: {error.strerror}.") from error


def _left_out(path: Path) -> str | None:
    """Return why what has a notebook's name is not run; None: it is a file."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return error.strerror or "it cannot be looked at"
    if stat.S_ISREG(mode):
        return None
    return "it is a link; name it to run what it leads to" if stat.S_ISLNK(mode) else "it is no file"


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
