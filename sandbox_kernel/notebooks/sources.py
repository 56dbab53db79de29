"""What can be run: notebooks and scripts, in files and elsewhere."""

import io
from pathlib import Path
from typing import BinaryIO

from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.files import MAX_NOTEBOOK, load_notebook, load_text, open_file
from sandbox_kernel.notebooks.near import reason
from sandbox_kernel.notebooks.remote import Address
from sandbox_kernel.notebooks.script import is_script, parse_script


def read_source(where: Path | Address) -> NotebookNode:
    """Return the notebook there; a file whose name ends in .py is a script, and becomes one.

    :raises NotebookError: it cannot be read, or is neither.
    """
    if isinstance(where, Address):
        return load_source(io.BytesIO(where.read(MAX_NOTEBOOK)), str(where))
    try:
        with open_file(where) as file:
            return load_source(file, str(where))
    except OSError as error:
        raise NotebookError(f"cannot read {where}: {reason(error, where)}") from error


def load_source(file: BinaryIO, name: str) -> NotebookNode:
    """Return the notebook or script that a stream of bytes holds; its name says which.

    :raises NotebookError: it is neither, or too long.
    """
    if is_script(name):
        return parse_script(load_text(file, name, "script"))
    return load_notebook(file, name)
