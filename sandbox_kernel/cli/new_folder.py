"""A folder for one result, made because its name said that it is one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sandbox_kernel.errors import NotebookError

_HELD: Final = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY


@contextmanager
def made(folder: Path | None) -> Iterator[None]:
    """Have the folder; where nothing was run, and so nothing is in it, it goes again. None: there is none.

    Its parent is held, for cells may be allowed to write there, and to put a link in its place.

    :raises NotebookError: it cannot be made.
    """
    if folder is None:
        yield
        return
    held = _make(folder)
    try:
        yield
    finally:
        with suppress(OSError):  # it holds a result
            os.rmdir(folder.name, dir_fd=held)
        os.close(held)


def _make(folder: Path) -> int:
    """Make the folder and return a descriptor of its parent."""
    held = -1
    try:
        held = os.open(folder.parent, _HELD)
        os.mkdir(folder.name, dir_fd=held)
    except OSError as error:
        if held >= 0:
            os.close(held)
        raise NotebookError(f"cannot make {folder}: {error.strerror}.") from error
    return held
