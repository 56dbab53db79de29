"""Files that are given what cells print: `--stdout-file`, `--stderr-file`.

They are opened before the run and written as it goes on, as a shell's `>` would have it. What a cell
prints goes there as it is; who looks at the file on a terminal sees what the cell wanted seen.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final, TextIO

from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError


class Copies:
    """Open files, by the stream that they take."""

    def __init__(self, files: Mapping[str, TextIO]) -> None:
        self._files = dict(files)
        self.failures: list[str] = []
        """Sentences on files that take no more; the run goes on without them."""

    def take(self, output: NotebookNode) -> None:
        """Write down what an output prints, if it does."""
        name = str(output.get("name"))
        file = self._files.get(name) if output.output_type == "stream" else None
        if file is None:
            return
        try:
            file.write(str(output.text))
            file.flush()
        except OSError as error:
            self.failures.append(
                f"--{name}-file {file.name}: {error.strerror}; what cells print is not there."
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


def _open(name: str) -> TextIO:
    try:
        return open(name, "w", encoding="utf-8", errors="replace", newline="")  # noqa: PTH123
    except OSError as error:
        raise NotebookError(f"cannot write {name}: {error.strerror}.") from error
