"""Notebooks elsewhere: `s3://…`, `gs://…`, `https://…`, whatever fsspec has a driver for.

Read before anything runs and written once, at the end, by our process: cells see none of it, and
its credentials stay outside the wall. What cannot be written there is kept in a file here: nobody
computes for an hour and then has nothing.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.destination import Destination

_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{1,30})://")
_FILE_SYSTEMS: Final = frozenset({"ftp", "hdfs", "sftp", "smb", "ssh", "webhdfs"})
"""File systems: a file gets its name once it is whole. Object stores know no half objects."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place that is not in this machine's file system."""

    url: str

    def __str__(self) -> str:
        """Return it as others may read it: without passwords and signatures."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    @property
    def scheme(self) -> str:
        """Which kind of place it is: s3, https, memory."""
        return urlsplit(self.url).scheme

    @property
    def path(self) -> PurePosixPath:
        """The last part of which is the name of what lies there."""
        return PurePosixPath(urlsplit(self.url).path)

    def joined(self, name: str) -> "Address":
        """Return the place of that name in this folder."""
        return Address(f"{self.url.rstrip('/')}/{name}")

    def read(self, limit: int) -> bytes:
        """Return what lies there, or one byte more than `limit` of what is longer.

        :raises NotebookError: it cannot be read.
        """
        system, path = self.open()
        with self.explaining("read"), system.open(path, "rb") as file:
            content: bytes = file.read(limit + 1)
        return content

    def open(self) -> tuple[Any, str]:
        """Return fsspec's file system and the path in it.

        :raises NotebookError: what it takes to reach it is not installed.
        """
        try:
            from fsspec.core import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- not all have it
                url_to_fs,
            )
        except ImportError as error:
            raise NotebookError(
                f"{self} is not in a file of this machine: what reaches it is not installed. Install fsspec "
                f"and its driver for {self.scheme}:// (`pip install fsspec`)."
            ) from error
        with self.explaining("reach"):
            system, path = url_to_fs(self.url)
        return system, path

    @contextlib.contextmanager
    def explaining(self, verb: str) -> Iterator[None]:
        """Turn whatever a driver raises into one sentence."""
        try:
            yield
        except Exception as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reason = " ".join(self._without_secrets(str(said)).split())[:200].rstrip(".")
            raise NotebookError(f"cannot {verb} {self}: {reason}.") from error

    def _without_secrets(self, text: str) -> str:
        """Return a driver's words without what `str` leaves out of the address."""
        parts = urlsplit(self.url)
        user = parts.netloc.rpartition("@")[0]
        for secret in filter(None, (parts.query, parts.fragment, user, unquote(parts.password or ""))):
            text = text.replace(secret, "…")
        return text


def place(written: str) -> Path | Address:
    """Return where `written` is: a path, unless it begins as an address does."""
    here = local(written)
    return Address(here) if _SCHEME.match(here) else Path(here)


def local(written: str) -> str:
    """Return `written`, or of an address of a file here its path."""
    found = _SCHEME.match(written)
    is_file = found is not None and found[1].lower() in {"file", "local"}
    return unquote(written[found.end() :]) if found and is_file else written


class RemoteDestination(Destination):
    """A remote place for one notebook; it is given the final one only, as a pipe is."""

    def __init__(self, address: Address) -> None:
        super().__init__(Path(address.path))
        self.address = address
        self.is_stream = True
        self._system: Any = None
        self._remote = ""
        self._kept = ""

    @property
    def unread(self) -> str:
        """What to say where nobody waited for the last of it."""
        return f"It was not written to {self.address} yet, and is in {self._kept}."

    def __repr__(self) -> str:
        return f"<RemoteDestination {self.address} {'open' if self._system else 'not open'}>"

    def __enter__(self) -> Self:
        """Find the driver.

        :raises NotebookError: there is none.
        """
        self._system, self._remote = self.address.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._system = None

    def write(self, data: bytes | mmap) -> Generator[None, None, None]:
        """Write it all, in a thread of its own; yield for as long as that takes.

        :raises NotebookError: it cannot be written; the message says where it is instead.
        """
        failures: list[NotebookError] = []
        thread = threading.Thread(target=self._upload, args=(data, failures), daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                yield
        except GeneratorExit:  # nobody waits any longer
            self._kept = keep_here(data)
            raise
        if failures:
            raise NotebookError(f"{failures[0]} The notebook is in {keep_here(data)}.") from failures[0]

    def _upload(self, data: bytes | mmap, failures: list[NotebookError]) -> None:
        try:
            with self.address.explaining("write"):
                self._put(data)
        except NotebookError as error:
            failures.append(error)

    def _put(self, data: bytes | mmap) -> None:
        if self.address.scheme not in _FILE_SYSTEMS:
            self._system.pipe_file(self._remote, data)
            return
        temporary = f"{self._remote}.{os.urandom(8).hex()}.tmp"
        try:
            self._system.pipe_file(temporary, data)
            self._system.mv(temporary, self._remote)
        except BaseException:
            with contextlib.suppress(Exception):  # the first failure is the one that counts
                self._system.rm_file(temporary)
            raise


def keep_here(data: bytes | mmap) -> str:
    """Save a notebook that nobody else takes; return where."""
    descriptor, name = tempfile.mkstemp(prefix="sandbox-kernel-", suffix=".ipynb")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return name
