"""Files that are given what cells print: `--stdout-file`, `--stderr-file`.

They are opened before the run and written as it goes on, as a shell's `>` would have it. What a cell
prints goes there as it is; who looks at the file on a terminal sees what the cell wanted seen.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Final

from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
"""As for a shell's `>`; appending lets both streams go into one file."""


class Copies:
    """Open files, by the stream that they take."""

    def __init__(self, files: Mapping[str, BinaryIO]) -> None:
        self._files = dict(files)
        self.failures: list[str] = []
        """Sentences on files that took no more; the run went on without them."""

    def take(self, output: NotebookNode) -> None:
        """Write down what an output prints, if it does."""
        name = str(output.get("name"))
        file = self._files.get(name) if output.output_type == "stream" else None
        if file is None:
            return
        left = memoryview(str(output.text).encode("utf-8", "replace"))
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            self.failures.append(
                f"--{name}-file took no more: {error.strerror}. The executed notebook has it all."
            )
            del self._files[name]


NO_COPIES: Final = Copies({})
"""Where nobody has asked for any."""


@contextmanager
def copies(stdout: str | None, stderr: str | None) -> Iterator[Copies]:
    """Open the files that were named; close them in the end.

    :raises NotebookError: one cannot be written.
    """
    with ExitStack() as opened:
        files = {}
        for stream, name in (("stdout", stdout), ("stderr", stderr)):
            if name is not None:
                files[stream] = opened.enter_context(_open(name))
        yield Copies(files)


def _open(name: str) -> BinaryIO:
    try:
        return os.fdopen(os.open(name, _FLAGS, 0o666), "wb", buffering=0)
    except OSError as error:
        raise NotebookError(f"cannot write {name}: {error.strerror}.") from error
