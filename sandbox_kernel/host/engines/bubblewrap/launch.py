"""Starting a sandbox's first process such that nothing runs before its limits hold.

Two ways, one protocol. What is started first waits on its stdin:

- an ordinary user's is a shell that reads a line and becomes bubblewrap (1 ms);
- root's is `stage`, which reads its orders, gives up root and becomes bubblewrap (15 ms).

Between start and word the caller puts the process under its limits. If the caller dies
meanwhile, stdin ends and nothing is started. Whatever is written to stdin after the word
reaches the guest: both readers take not one byte more than is theirs.

The process is in a session of its own, so a terminal's Ctrl-C does not reach it, and
inherits the standard streams, the descriptors named here, and an empty environment.
"""

import contextlib
import marshal
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.errors import SandboxError, StartError, WorkspaceError
from sandbox_kernel.host.engines.bubblewrap.bytecode import program
from sandbox_kernel.host.engines.bubblewrap.descriptors import Descriptors, make_pipe
from sandbox_kernel.host.engines.bubblewrap.identity import Identity
from sandbox_kernel.host.engines.bubblewrap.sources import Source

STAGED: Final = "/tmp"  # noqa: S108 - covered by a fresh tmpfs in a mount namespace of the stage's own
STAGE: Final = str(Path(__file__).with_name("stage.py"))
GATE: Final = ("/bin/sh", "-c", 'read -r go && exec "$@"', "sandbox-kernel")

PATIENCE: Final = 30.0
"""Seconds for the stage's work, which takes milliseconds; a swapping machine needs more."""


class Started(Struct):
    """A process that waits for its word, and our ends of its streams."""

    process: subprocess.Popen[bytes]
    stdin: int
    stdout: int
    stderr: int

    def abandon(self) -> None:
        """Kill it, reap it and close our ends: it will not be used."""
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        for fd in (self.stdin, self.stdout, self.stderr):
            os.close(fd)


def start_gate(argv: Sequence[str], inherited: Sequence[int]) -> Started:
    """Start a waiting process.

    :raises StartError: the machine has no room for it.
    """
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        pipes = [make_pipe() for _ in range(3)]
        for number, pipe in enumerate(pipes):
            near, far = (pipe.writer, pipe.reader) if number == 0 else (pipe.reader, pipe.writer)
            ours.callback(os.close, near)
            theirs.callback(os.close, far)
            os.set_blocking(near, False)
        try:
            process = subprocess.Popen(
                argv, stdin=pipes[0].reader, stdout=pipes[1].writer, stderr=pipes[2].writer,
                pass_fds=inherited, env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise StartError(f"A process for the sandbox could not be started: {error.strerror}.") from error
        ours.pop_all()
        return Started(process, pipes[0].writer, pipes[1].reader, pipes[2].reader)


def open_for_user(argv: Sequence[str], inherited: Sequence[int]) -> tuple[Started, Callable[[], None]]:
    """Start an ordinary user's process; return it and what gives it the word."""
    started = start_gate([*GATE, *argv], inherited)
    return started, lambda: _write(started.stdin, b"go\n")


def open_for_root(
    argv: Sequence[str], inherited: Sequence[int], sources: Sequence[Source], who: Identity, held: Descriptors
) -> tuple[Started, Callable[[], None]]:
    """Start root's process; return it and what gives it the word and waits until it is root no more.

    Among the inherited are the sources' descriptors.
    """
    orders = marshal.dumps(
        {
            "argv": list(argv),
            "place": STAGED,
            "sources": [source.order() for source in sources],
            "uid": who.uid,
            "gid": who.gid,
        }
    )
    reader, writer = (held.keep(fd) for fd in os.pipe2(os.O_CLOEXEC))
    stage = [sys.executable, "-I", "-S", program(STAGE), str(len(orders)), str(writer)]
    started = start_gate(stage, [*inherited, writer])

    def word() -> None:
        held.forget(writer)
        _write(started.stdin, orders)
        _hear(reader)

    return started, word


def _write(fd: int, data: bytes) -> None:
    """Write all of a few kilobytes to a fresh pipe.

    :raises StartError: nobody reads it any more.
    """
    view = memoryview(data)
    poll = select.poll()  # select() itself cannot take a descriptor beyond 1023
    poll.register(fd, select.POLLOUT)
    try:
        while view:
            poll.poll(PATIENCE * 1000)
            view = view[os.write(fd, view) :]
    except OSError as error:
        raise StartError(
            f"The process for the sandbox ended before it was told anything: {error.strerror}."
        ) from error


def _hear(complaints: int) -> None:
    """Return when the stage has become bubblewrap.

    :raises WorkspaceError: a directory cannot be shared the way it was asked for.
    :raises StartError: anything else went wrong, or nothing happens.
    """
    said = b"".join(_until_closed(complaints)).decode(errors="surrogateescape")
    if not said:
        return
    kind, _, sentence = said.partition("\n")
    errors: dict[str, type[SandboxError]] = {"workspace": WorkspaceError}
    raise errors.get(kind, StartError)(sentence)


def _until_closed(fd: int) -> Iterator[bytes]:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        if not poll.poll(PATIENCE * 1000):
            raise StartError(f"The sandbox's first process did not get ready within {PATIENCE:g} s.")
        if not (data := os.read(fd, 4096)):
            return
        yield data
