"""What can be run: notebooks and scripts, in files and elsewhere."""

import io
from pathlib import Path
from typing import BinaryIO

from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.files import MAX_NOTEBOOK, load_notebook, load_text, open_file
from sandbox_kernel.notebooks.remote import Address
from sandbox_kernel.notebooks.script import is_script, parse_script


def read_source(where: Path | Address) -> NotebookNode:
    """Return the notebook there; a file whose name ends in .py is a script, and becomes one.

    :raises NotebookError: it cannot be read, or is neither.
    """
    script = is_script(str(where))
    if isinstance(where, Address):
        return _loaded(io.BytesIO(where.read(MAX_NOTEBOOK)), str(where), script=script)
    try:
        with open_file(where) as file:
            return _loaded(file, str(where), script=script)
    except OSError as error:
        raise NotebookError(f"cannot read {where}: {error.strerror}.") from error


def _loaded(file: BinaryIO, name: str, *, script: bool) -> NotebookNode:
    if script:
        return parse_script(load_text(file, name, "script"))
    return load_notebook(file, name)
