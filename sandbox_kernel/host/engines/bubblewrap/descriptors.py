"""Descriptors that one launch hands to bubblewrap: closed here whatever happens."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

PIPE_SIZE: Final = 1 << 20
"""What an ordinary user may ask for by default (fs.pipe-max-size): fewer wake-ups per megabyte."""


class Descriptors:
    """A growing set of descriptors that is closed as a whole."""

    def __init__(self) -> None:
        self.all: list[int] = []

    def keep(self, fd: int) -> int:
        """Close this one with the others; return it."""
        self.all.append(fd)
        return fd

    def duplicate(self, fd: int) -> int:
        """Return another descriptor for the same, to be closed with the others."""
        return self.keep(os.dup(fd))

    def holding(self, content: bytes) -> int:
        """Return a descriptor from which this content can be read."""
        fd = self.keep(os.memfd_create("sandbox-kernel", os.MFD_CLOEXEC))
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def forget(self, fd: int) -> None:
        """Close this one now."""
        self.all.remove(fd)
        os.close(fd)

    def close(self) -> None:
        """Close them all; idempotent."""
        while self.all:
            os.close(self.all.pop())


class Pipe(NamedTuple):
    """Both ends of a pipe, neither inherited."""

    reader: int
    writer: int


@contextlib.contextmanager
def descriptors() -> Iterator[Descriptors]:
    """Give a set of descriptors for the time of a launch."""
    held = Descriptors()
    try:
        yield held
    finally:
        held.close()


def make_pipe() -> Pipe:
    """Return a pipe of the largest size that we are given."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # beyond fs.pipe-user-pages-soft; a smaller pipe works as well
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return Pipe(reader, writer)
