"""Starting it: a process with five descriptors, and nothing of ours but what runs in it."""

from __future__ import annotations

import fcntl
import os

from sandbox_kernel.guest.kernel import (
    Adopted,
    Kernel,
    UnstartableError,
    prefer_for_oom,
    write_secrets,
)
from sandbox_kernel.guest.program._sandbox_runner import ANSWERS, REQUESTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from sandbox_kernel.wire import Start
else:
    import _signal as signal  # without `enum`, which the other brings

_HIGH = 128
"""Descriptors from here on are out of the way of the five, and of the tunnel."""

RUNNER = "_sandbox_runner"

_IN_A_FOLDER = "import sys; sys.path.insert(0, {directory!r}); import {name} as r; del sys.path[0]; r.main()"
_IN_AN_ARCHIVE = (
    "import sys; r = type(sys)({name!r}); sys.modules[{name!r}] = r; "
    "exec(compile({source!r}, {name!r}, 'exec'), r.__dict__); r.main()"
)
"""Where the guest was sent ahead into an image: it lies in memory of its process, and of no other."""

CANNOT_EXECUTE = 127


class Program(Kernel):
    """The running process, and our ends of its streams; they do not block, but for the process."""

    def __init__(self, pid: int, ours: dict[int, int]) -> None:
        super().__init__(Adopted(pid), ours[1])
        self.error, self.requests, self.answers = ours[2], ours[REQUESTS], ours[ANSWERS]

    def close(self) -> None:
        """Close our ends."""
        for descriptor in (self.output, self.error, self.requests, self.answers):
            os.close(descriptor)


def start(order: Start, prepare: Callable[[], None]) -> Program:
    """Start it; `prepare` is called in its process just before it becomes the program.

    :raises UnstartableError: there is no room for it.
    """
    try:
        write_secrets(order)
        pipes = {number: os.pipe() for number in (1, 2, ANSWERS)}  # close on exec, as all that Python opens
        ours = {number: reader for number, (reader, _) in pipes.items()}
        theirs = {number: writer for number, (_, writer) in pipes.items()}
        theirs[REQUESTS], ours[REQUESTS] = os.pipe()
        theirs[0] = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        code = stub()
        pid = os.fork()
    except OSError as error:
        raise UnstartableError(f"The program cannot be started: {error}.") from error
    if pid == 0:
        _become(order, code, theirs, prepare)
    for descriptor in theirs.values():
        os.close(descriptor)
    for descriptor in ours.values():
        os.set_blocking(descriptor, False)
    prefer_for_oom(pid)
    return Program(pid, ours)


def stub() -> str:
    """Return what Python is to run."""
    directory = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(directory, f"{RUNNER}.py")
    if os.path.isfile(path):
        return _IN_A_FOLDER.format(directory=directory, name=RUNNER)
    source: bytes = globals()["__loader__"].get_data(path)  # who imported this can read it
    return _IN_AN_ARCHIVE.format(name=RUNNER, source=source.decode())


def _become(order: Start, code: str, streams: dict[int, int], prepare: Callable[[], None]) -> None:
    """Be the program; never returns."""
    try:
        os.setsid()
        high = {
            number: fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, _HIGH) for number, stream in streams.items()
        }
        for number, stream in high.items():
            os.dup2(stream, number)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python's own choice is not that of what it starts
            signal.signal(number, signal.SIG_DFL)
        prepare()
        os.chdir(order.cwd)
        os.execvpe(order.argv[0], [order.argv[0], "-c", code], order.env)  # noqa: S606 - the host's words
    except OSError as error:
        os.write(2, f"{order.argv[0]} cannot be started: {error}\n".encode(errors="replace"))
    finally:
        os._exit(CANNOT_EXECUTE)
