"""The reports of a batch: where they go is decided and held before anything runs."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from difflib import get_close_matches
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Self

import click

from sandbox_kernel.batches import Summary
from sandbox_kernel.batches.reports.as_json import as_json
from sandbox_kernel.batches.reports.junit import as_junit
from sandbox_kernel.batches.reports.page import as_page
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Destination
from sandbox_kernel.notebooks.destination import READER_SECONDS
from sandbox_kernel.notebooks.run import UNREAD_SECONDS

_WRITERS: Final[Mapping[str, Callable[[Summary, Path], bytes]]] = {
    "html": as_page,
    "json": lambda summary, _: as_json(summary),
    "junit": lambda summary, _: as_junit(summary),
}

_MARKS: Final = {"html": b"<!doctype html", "json": b'"exit_code"', "junit": b"<testsuite"}
"""What a report has among its first bytes: another file is not replaced."""


class Reports:
    """What is to be written; entered, it is held, and refused before an hour's work if it cannot be."""

    def __init__(self, wanted: Mapping[str, Path]) -> None:
        """Note the kind of each report and where it goes."""
        self._wanted = dict(wanted)
        self._held: dict[str, Destination] = {}
        self.written: dict[str, Path] = {}
        """Where each is that was written, by its kind."""
        self._stack = ExitStack()

    @classmethod
    def read(cls, options: Iterable[str]) -> Self:
        """Return the reports that options ask for: `html=FILE`.

        :raises click.UsageError: one of them is not understood.
        """
        wanted: dict[str, Path] = {}
        for option in options:
            kind, separator, name = option.partition("=")
            if not separator or not name or kind not in _WRITERS:
                raise click.UsageError(f"--report {option!r}: {_advice(kind)}")
            if kind in wanted:
                raise click.UsageError(f"--report {kind}= is there twice; one of them would be lost.")
            wanted[kind] = Path(name)
        return cls(wanted)

    @property
    def has_figures(self) -> bool:
        """Whether one of them shows figures."""
        return "html" in self._wanted

    def __enter__(self) -> Self:
        """Hold their places.

        :raises NotebookError: one of them cannot be written.
        """
        with ExitStack() as stack:
            for kind, path in self._wanted.items():
                self._held[kind] = stack.enter_context(Destination(path))
                self._held[kind].refuse_all_but(_MARKS[kind], f"{kind} report")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def write(self, summary: Summary) -> list[str]:
        """Write them all; return a sentence on each that could not be written."""
        failures = []
        for kind, destination in self._held.items():
            try:
                _write(destination, _WRITERS[kind](summary, destination.path.resolve()))
            except NotebookError as error:
                failures.append(f"the {kind} report is not there: {error}")
            else:
                self.written[kind] = destination.path
        return failures


def _write(destination: Destination, content: bytes) -> None:
    """Write it, and wait a little for a pipe's reader.

    :raises NotebookError: it cannot be written, or nobody reads it.
    """
    patience = monotonic() + UNREAD_SECONDS
    with closing(destination.write(content)) as writing:
        for _ in writing:
            if monotonic() > patience:
                raise NotebookError(destination.unread)
            sleep(READER_SECONDS)


def _advice(kind: str) -> str:
    near = get_close_matches(kind.lower(), _WRITERS, n=1, cutoff=0.5)
    written = " or ".join(f"{name}=FILE" for name in _WRITERS)
    return f"did you mean {near[0]}=FILE?" if near and kind not in _WRITERS else f"write {written}."
