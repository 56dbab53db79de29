"""Folders for results: made before anything runs, without following what lies there."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox_kernel.batches.plan import Job
from sandbox_kernel.errors import NotebookError

MARK: Final = ".sandbox-kernel-results"
"""A file in each folder of results that a batch has made: later ones look for no notebooks there."""

_HELD = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


def make_folders(jobs: Iterable[Job], output: Path | None) -> None:
    """Make the folder of results, whose parent is there, and mark it; make those in it that results go to.

    What is made up by us is not followed: an earlier batch's cell may have left a link there.

    :raises NotebookError: one of them cannot be made, or is a link.
    """
    if output is None:
        return
    is_new = not os.path.lexists(output)
    _make(output.parent, [output.name])
    if is_new:
        (output / MARK).write_text(
            "Results of `sandbox-kernel run`, which does not look for notebooks here.\n"
        )
    below = {job.output.parent for job in jobs if job.output.parent != output}
    for folder in sorted(folder for folder in below if folder.is_relative_to(output)):
        _make(output, folder.relative_to(output).parts)


def _make(root: Path, names: Iterable[str]) -> None:
    here = root
    try:
        held = os.open(root, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            for name in names:
                here = here / name
                below = step(held, name)
                os.close(held)
                held = below
        finally:
            os.close(held)
    except NotADirectoryError as error:
        raise NotebookError(
            f"cannot save results in {here}: it is a link or a file; move it away."
        ) from error
    except OSError as error:
        raise NotebookError(f"cannot make {here}: {error.strerror}.") from error


def step(held: int, name: str) -> int:
    """Return a descriptor of the folder of that name in the one that is held, made if need be.

    :raises OSError: it cannot be made, or is no folder but a link, say.
    """
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=held)
    return os.open(name, _HELD, dir_fd=held)
