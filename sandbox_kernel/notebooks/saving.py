"""Where and when a run is saved.

After each cell, for the day somebody pulls the plug; and at its end. What is saved on the way says
that the run has not ended. A pipe or device is given the final notebook only.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from time import monotonic

from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import papermill
from sandbox_kernel.notebooks.destination import READER_SECONDS, Destination
from sandbox_kernel.notebooks.document import RUN_KEY, digest, for_saving
from sandbox_kernel.notebooks.files import to_text
from sandbox_kernel.notebooks.result import Result

SHARE = 0.1
"""What part of a run's time may go into saving it on the way: a large notebook is saved less often."""


class Saver:
    """Saves one run's notebook."""

    def __init__(self, nb: NotebookNode, target: Destination | None) -> None:
        """Note what goes where; None: nowhere, but its metadata is kept up to date."""
        self.digest = ""
        """The SHA-256 of what was saved last, or would have been."""
        self._nb = nb
        self._target = target
        self._next = 0.0
        self._later: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Saver {self._target}>"

    def on_the_way(self, result: Callable[[], Result]) -> None:
        """Save soon: at once, or when the last time is long enough ago for what it took.

        :param result: what there is to say by then.
        """
        if self._target is None or self._target.is_stream:
            return
        wait = self._next - monotonic()
        if wait <= 0:
            self.late(result)
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(wait, self.late, result)

    def late(self, result: Callable[[], Result]) -> None:
        """Save on the way. Where that fails the run goes on: what counts is the last time, which says so."""
        with suppress(NotebookError):
            self._timed(result)

    def _timed(self, result: Callable[[], Result]) -> None:
        began = monotonic()
        self.save(result())
        self._next = began + (monotonic() - began) / SHARE

    def save(self, result: Result) -> None:
        """Save now, if it goes into a file.

        :raises NotebookError: it cannot be written.
        """
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._nb.metadata[RUN_KEY] = result.metadata()
        papermill.record(self._nb, result)
        text = self._text()
        if self._target is not None and not self._target.is_stream:
            for _ in self._target.write(text):
                pass

    def _text(self) -> bytes:
        text = to_text(papermill.marked(for_saving(self._nb))).encode()
        self.digest = digest(text)
        return text

    async def pour(self) -> None:
        """Give a pipe, or what takes as long, the notebook as it is now; return when it has all of it.

        :raises NotebookError: it cannot be written.
        """
        if self._target is None or not self._target.is_stream:
            return
        with closing(self._target.write(self._text())) as writing:
            for _ in writing:
                await asyncio.sleep(READER_SECONDS)
