"""A container that was started: its streams, how it ended, and how nothing of it is left."""

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Final

from sandbox_kernel.errors import DaemonGoneError, SandboxError
from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.events import Watch, Watcher
from sandbox_kernel.host.engines.docker.leftovers import UNDONE, bury
from sandbox_kernel.host.engines.docker.line import Line
from sandbox_kernel.host.engines.docker.stream import Demultiplexer
from sandbox_kernel.host.janitor import JANITOR
from sandbox_kernel.wire import Part, Start

PATIENCE: Final = 10.0
"""Seconds that a container gets to be gone; then that is seen to in the background."""

OWN_END: Final = 2.0
"""Seconds that a daemon gets to tell how a container ended whose stream has ended by itself."""

KILLED: Final = -9

KILLED_OUTSIDE: Final = 128 - KILLED
"""PID 1's exit code after SIGKILL. Code inside can bring it about: on gVisor by sending it, else by a
limit on PID 1's CPU time."""


class DockerProcess:
    """A running container, and PID 1 inside, which ends with its input."""

    def __init__(
        self, daemon: Daemon, container: str, name: str, line: Line, first: bytes, message: Start
    ) -> None:
        """Take over daemon and line.

        :param first: what the guest is sent before all else.
        """
        self.pid = 0
        self.image_id: str | None = None
        self.stdin, self.stdout = line.stdin, line.stdout
        self.start_message = message
        self.stderr, self._complaints = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._daemon = daemon
        self._container = container
        self._name = name
        self._line = line
        self._first = memoryview(first)
        self._demultiplexer = Demultiplexer()
        self._watch = Watch()
        self._watcher: Watcher | None = None
        self._ended = self._killed = self._closed = False
        self._cause: str | None = None

    def watched(self, watcher: Watcher, watch: Watch) -> None:
        """Be told of its end by this watcher, which is told in turn when that is over."""
        self._watcher, self._watch = watcher, watch

    def __repr__(self) -> str:
        return f"<DockerProcess {self._name} {self._container[:12]} {self._watch!r}>"

    def read(self, buffer: memoryview) -> int:
        """Take what the guest has said; its complaints go to `stderr`."""
        while True:
            arrived = self._line.read(buffer)
            if not arrived:
                self._ended = self._ended or not self._killed
                return 0
            count, errors = self._demultiplexer.feed(buffer[:arrived])
            if errors:
                with contextlib.suppress(BlockingIOError):  # the pipe is full: that is the bound
                    os.write(self._complaints, errors)
            if count:
                return count
            if errors:
                raise BlockingIOError  # so that whoever reads `stderr` does before the end is seen

    def write(self, buffers: Sequence[Part]) -> int:
        """Send what the stream takes now."""
        if not self._first:
            return self._line.write(buffers)
        sent = self._line.write([self._first, *buffers[:64]])
        own = min(sent, len(self._first))
        self._first = self._first[own:]
        return sent - own

    def poll(self) -> int | None:
        """Return None while the container lives, else PID 1's exit status (negative: a signal)."""
        code = self._watch.exit_code
        if code is not None:
            return 128 - code if code > 128 else code
        return KILLED if self._closed else None

    def settle(self) -> None:
        """Change nothing: it starts under the limits that it runs under."""

    def usage(self) -> Usage:
        """Return what the daemon has told; the guest tells more."""
        return Usage(oom_kills=self._watch.oom_kills)

    def cause(self) -> str | None:
        """Return what only the daemon can know about the end."""
        return self._cause

    def kill(self) -> None:
        """End the guest's input, and with it everything inside; any thread. `close` sees to the rest."""
        self._killed = True
        self._line.cut()

    def close(self) -> None:
        """Have the container removed and wait until it is, close everything."""
        if self._closed:
            return
        self._line.cut()
        gone = False
        try:
            gone = self._remove()
        except SandboxError as error:
            if isinstance(error, DaemonGoneError):
                self._cause = self._daemon_gone()
        finally:
            if not gone:
                UNDONE.hand_over(self._daemon.address, self._container)
            self._closed = True
            JANITOR.forget(self._name)
            if self._watcher is not None:
                self._watcher.forget(self._name)
            self._line.close()
            self._daemon.close()
            for descriptor in (self.stderr, self._complaints):
                os.close(descriptor)
            self.stdin = self.stdout = self.stderr = -1

    def _remove(self) -> bool:
        """Have the container removed; say whether it was seen to be gone."""
        if self._ended:  # by itself: how, is about to be told
            self._watch.told.wait(OWN_END)
            self._cause = self._end_of_its_own()
        until = time.monotonic() + PATIENCE
        pause = 0.02
        while not bury(self._daemon, self._container) and not self._watch.gone.wait(pause):
            if time.monotonic() > until:
                return False
            pause = min(pause * 2, 1.0)
        if self._ended and self._watch.exit_code is None and self._cause is None:
            self._cause = "Somebody else has removed its container."
        return True

    def _end_of_its_own(self) -> str | None:
        """Say why the stream ended that nobody here has cut; None if that is nobody else's doing."""
        if self._watch.lost:
            return self._daemon_gone()
        engine = self._daemon.address.engine
        if self._watch.signals:
            return f"Somebody else has ended its container, as `{engine} kill`, `stop` and `rm --force` do."
        if self._watch.exit_code == KILLED_OUTSIDE:  # Podman does not tell who
            return (
                f"Its container was killed from outside, as `{engine} kill`, `stop` and `rm --force` do; "
                f"or by code inside; or the whole machine was out of memory."
            )
        return None

    def _daemon_gone(self) -> str:
        name = self._daemon.address.engine.capitalize()
        return f"{name} at {self._daemon.address} has stopped or was restarted, and its containers with it."
