"""Folders for results: made before anything runs, without following what lies there; gone if nothing did."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sandbox_kernel.batches.plan import Job
from sandbox_kernel.errors import NotebookError

MARK: Final = ".sandbox-kernel-results"
"""A file in each folder of results that a batch has made: later ones look for no notebooks there."""

_HELD = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def folders_for(
    jobs: Iterable[Job], output: Path | None, has_run: Callable[[], bool], artifacts: Path | None = None
) -> Iterator[None]:
    """Have the folders while a batch runs; where nothing ran, what was made and is empty goes again.

    :param has_run: tells afterwards whether code of a notebook has run: then nothing is taken away, neither
        a result nor what a link of its cells leads to.
    :param artifacts: another folder, which somebody else makes.
    :raises NotebookError: as `make_folders` does.
    """
    jobs = tuple(jobs)
    wanted = {folder for job in jobs for folder in _up_to(output, job.output.parent)} if output else set()
    wanted |= {artifacts} if artifacts else set()
    new = [folder for folder in wanted if not os.path.lexists(folder)]
    try:
        make_folders(jobs, output)
        yield
    finally:
        if not has_run():
            for folder in sorted(new, key=lambda path: len(path.parts), reverse=True):
                _remove(folder)


def _up_to(output: Path, folder: Path) -> Iterator[Path]:
    """Yield the folder of results, and those that are between it and a folder in it, which comes last."""
    yield output
    if folder.is_relative_to(output):
        yield from (parent for parent in (folder, *folder.parents) if output in parent.parents)


def _remove(folder: Path) -> None:
    with suppress(OSError):  # it was not made, or holds something: a report, say
        if [path.name for path in folder.iterdir()] == [MARK]:
            (folder / MARK).unlink()
        folder.rmdir()


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
