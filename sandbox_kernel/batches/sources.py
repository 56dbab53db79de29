"""Reads a notebook of a plan, when its turn comes: by then cells of others may have run.

A workspace that is shared for writing is theirs to write. A link that one of them leaves in the place of
a notebook would have us read, and copy into a result, whatever it leads to; so what is opened must be
the file that was planned.
"""

import io
from pathlib import Path

from nbformat import NotebookNode

from sandbox_kernel.batches.plan import Job
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.files import MAX_NOTEBOOK, open_file
from sandbox_kernel.notebooks.sources import load_source


def read_content(job: Job) -> bytes:
    """Return what the job's notebook holds.

    :raises NotebookError: it cannot be read, or is not the file that was planned.
    """
    try:
        with open_file(job.notebook) as file:
            if Path(f"/proc/self/fd/{file.fileno()}").readlink() != job.real:
                raise NotebookError(
                    f"cannot read {job.notebook}: since the batch began, it has become a link."
                )
            content: bytes = file.read(MAX_NOTEBOOK + 1)
    except OSError as error:
        raise NotebookError(f"cannot read {job.notebook}: {error.strerror}.") from error
    return content


def to_notebook(job: Job, content: bytes) -> NotebookNode:
    """Return the notebook that was read, or the one that a script makes.

    :raises NotebookError: it is neither.
    """
    return load_source(io.BytesIO(content), str(job.notebook))
