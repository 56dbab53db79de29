"""A folder for the artifacts of each run of a batch.

The folder of all of them is held from before any cell runs, and what is below it is opened step by step,
never through a link: with a workspace that is shared for writing, cells of other runs may leave some.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Self

from sandbox_kernel.batches.folders import step
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.errors import NotebookError


class ArtifactFolders:
    """Folders in one folder, as the results are in theirs; held while it is entered."""

    def __init__(self, root: Path, output: Path) -> None:
        """Note where they go, and below which folder the results are."""
        self.root = root
        """The folder of all."""
        self._output = output
        self._held = -1

    def __repr__(self) -> str:
        return f"<ArtifactFolders {self.root} {'held' if self._held >= 0 else 'not held'}>"

    def __enter__(self) -> Self:
        """Make the folder of all, and hold it.

        :raises NotebookError: it cannot be made.
        """
        with self._explaining(self.root):
            self.root.mkdir(exist_ok=True)
            self._held = os.open(self.root, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._held)
        self._held = -1

    def of(self, job: Job) -> Path:
        """Return where the artifacts of a run are put."""
        return self.root / self._below(job)

    @contextmanager
    def held(self, job: Job) -> Iterator[Path]:
        """Yield a name of that folder that no link can change, while this lasts; an empty one goes again.

        :raises NotebookError: it cannot be made.
        """
        *parents, last = self._below(job).parts
        folder = os.dup(self._held)
        try:
            with self._explaining(self.of(job)):
                for name in parents:
                    inner = step(folder, name)
                    os.close(folder)
                    folder = inner
                inner = step(folder, last)
            try:
                yield Path(f"/proc/self/fd/{inner}")
            finally:
                os.close(inner)
                with suppress(OSError):  # most runs leave something
                    os.rmdir(last, dir_fd=folder)
        finally:
            os.close(folder)

    def _below(self, job: Job) -> PurePath:
        return job.output.relative_to(self._output).with_suffix("")

    @contextmanager
    def _explaining(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotebookError(f"cannot put artifacts into {place}: {error.strerror}.") from error
