"""Standard input, output and error: each may be closed, full or left by its reader, at any moment.

What is shown is not what counts: a `Listener` falls silent. What was asked for on standard output does.
"""

import io
import os
import sys
from contextlib import suppress
from typing import BinaryIO, TextIO

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.remote import keep_here


def standard_input() -> BinaryIO:
    """Return what we are sent.

    :raises NotebookError: nobody sends anything.
    """
    if sys.stdin is None:
        raise NotebookError("cannot read standard input: it is closed.")
    return sys.stdin.buffer


def require_output() -> None:
    """See to it that there is a standard output: better before an hour of computing than after.

    :raises NotebookError: it is closed.
    """
    if sys.stdout is None:
        raise NotebookError("cannot write standard output: it is closed; name a file with -o.")


def print_notebook(text: str) -> None:
    """Print a notebook, in UTF-8 whatever else is printed in.

    :raises NotebookError: it cannot be; the message says where the notebook is instead.
    :raises BrokenPipeError: its reader wanted no more of it.
    """
    data = text.encode()
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _throw_away(sys.stdout)
        raise NotebookError(
            f"cannot write standard output: {error.strerror}. The notebook is in {keep_here(data)}."
        ) from error


def _throw_away(file: TextIO) -> None:
    """Have what is left in its buffer go nowhere: it would be tried again when we end."""
    with suppress(OSError):  # it may have no descriptor
        held = file.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, held)
        os.close(nowhere)


class Listener(io.TextIOBase):
    """One of our standard streams, which falls silent when it takes no more.

    Its reader may have gone, its terminal may be closed, its disk may be full: a run's results are what
    counts. Looked up in each use, as programs exchange these streams.
    """

    def __init__(self, name: str) -> None:
        """Take `stdout` or `stderr`."""
        self._name = name
        self._gone = False

    @property
    def _file(self) -> TextIO | None:
        """What is written to; None: it was closed before we were started, or takes no more."""
        file: TextIO | None = None if self._gone else getattr(sys, self._name)
        return file

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a variable
        """How characters become bytes."""
        return getattr(self._file, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Tell whether a person looks on."""
        file = self._file
        return file is not None and file.isatty()

    def fileno(self) -> int:
        """Return its descriptor."""
        file = self._file
        return super().fileno() if file is None else file.fileno()

    def write(self, text: str) -> int:
        """Write what can be written; a character that its encoding does not have is spelled out."""
        file = self._file
        if file is not None:
            code = self.encoding
            try:
                file.write(text.encode(code, "backslashreplace").decode(code))
            except OSError:
                self._give_up(file)
        return len(text)

    def flush(self) -> None:
        """Send it off."""
        file = self._file
        if file is not None:
            try:
                file.flush()
            except OSError:
                self._give_up(file)

    def _give_up(self, file: TextIO) -> None:
        self._gone = True
        _throw_away(file)
