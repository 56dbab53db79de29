"""What the rest of the host side needs from an engine, and nothing more.

An engine puts one process behind a wall and hands back its standard input and output.
All else (messages, signals, the kernel's life) travels over those two byte streams, so an
engine knows nothing of Jupyter.

Threads: `Engine.start` and every method of the process it returns are called from the one
thread that serves that sandbox and outlives it. An engine may therefore tie the sandbox's
life to that thread (PR_SET_PDEATHSIG watches the *thread* that forked). `kill` alone may be
called from any thread.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Part, Start

CONNECTION_FILE = "{connection_file}"
"""Stands, in a kernel's argv, for the path of its connection file inside the sandbox."""

OUR_IMAGE = "sandbox-kernel/python"
"""What a container runs where the policy names no image."""


CONTAINERS = ("docker", "podman")
"""Engines whose kernels run an image's Python."""


def name_of_wall(engine: str, policy: Policy) -> str:
    """Return what stands around a sandbox: "bubblewrap", or "docker, image NAME, runtime runsc"."""
    if engine not in CONTAINERS:
        return engine
    runtime = f", runtime {policy.runtime}" if policy.runtime else ""
    return f"{engine}, image {policy.image or OUR_IMAGE}{runtime}"


class Launch(Struct, frozen=True):
    """One kernel to start: what to run, and what of the host it was granted."""

    argv: tuple[str, ...]
    """The kernel's command, as in a kernelspec; contains CONNECTION_FILE once."""
    directory: Path
    """The notebook's directory on the host, absolute; `Policy.workspace` says how it is shared."""
    name: str
    """Eight or more hex digits, unique to this launch: names the cgroup, container, …"""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables granted to the kernel by name; nothing else of the host's environment goes in."""
    fork: bool = True
    """Whether the kernel may be forked from one that has imported what it needs, where an engine can."""
    program: bool = False
    """Whether plain Python runs in the kernel's place, that of `argv` (guest/program)."""


class Enforcement(Struct, frozen=True):
    """How one limit or wall is kept on this machine."""

    limit: str
    """The policy field or promise it concerns: "memory", "cpus", "pids", "network", …"""
    by: str | None
    """What enforces it ("cgroup v2", "rlimit", "watchdog", "namespace"), or None: nothing can."""
    detail: str
    """One sentence: what that means here and, where it is weak or missing, what to do."""
    weak: bool = False
    """True for a watchdog: it acts after the fact, from outside."""


class Usage(Struct, frozen=True):
    """What the wall has counted so far, read from outside, so user code cannot forge it."""

    memory_bytes: int = 0
    """Peak memory of the whole sandbox; 0 where unknown."""
    oom_kills: int = 0
    """Processes of the sandbox that were killed for memory."""
    pids_refused: int = 0
    """How often a fork or a new thread was refused for `Policy.pids`."""
    cpu_seconds: float = 0.0

    def __or__(self, other: "Usage") -> "Usage":
        """Return what either has counted: the same events, seen from two sides."""
        return Usage(
            max(self.memory_bytes, other.memory_bytes),
            max(self.oom_kills, other.oom_kills),
            max(self.pids_refused, other.pids_refused),
            max(self.cpu_seconds, other.cpu_seconds),
        )


class Pipes:
    """Reading and writing where the streams are pipes, for engines to inherit."""

    stdin: int
    stdout: int
    image_id: str | None = None

    def read(self, buffer: memoryview) -> int:
        """Take what the guest has said into the buffer."""
        return os.readv(self.stdout, [buffer])

    def write(self, buffers: Sequence[Part]) -> int:
        """Send what the pipe takes now."""
        return os.writev(self.stdin, buffers)

    def settle(self) -> None:
        """Change nothing."""

    def cause(self) -> str | None:
        """Return None: the exit status says all that there is to know."""
        return None


class SandboxProcess(Protocol):
    """A running sandbox."""

    stdin: int
    """A descriptor to wait on before `write`; owned by this object, and another number than `stdout`."""
    stdout: int
    """A descriptor to wait on before `read`; owned by this object."""
    stderr: int
    """A non-blocking descriptor with the wall's own complaints (never the kernel's output), or -1."""
    pid: int
    """A process on this machine whose death is the sandbox's death; 0 where there is none."""
    image_id: str | None
    """The digest of the image that it was made from, where there is one."""
    start_message: Start
    """The first message for the guest: what to run, where, with which environment."""

    def read(self, buffer: memoryview) -> int:
        """Take what the guest has said into the buffer; return the number of bytes, 0 at the end.

        What it leaves behind wakes a poll for `stdout` again.

        :raises BlockingIOError: there is nothing now.
        :raises OSError: the stream broke.
        :raises RemoteProtocolError: what carries the stream (a daemon) sent something impossible.
        """

    def write(self, buffers: Sequence[Part]) -> int:
        """Send what the stream takes now of the buffers; return the number of bytes.

        :raises BlockingIOError: it takes nothing now.
        :raises OSError: the stream broke.
        """

    def poll(self) -> int | None:
        """Return None while the sandbox lives, else its exit status (negative: a signal)."""

    def settle(self) -> None:
        """Hear that the kernel is ready, before those hear it who have asked for it. Never raises."""

    def usage(self) -> Usage:
        """Return the counters; also valid after the end, until `close`."""

    def cause(self) -> str | None:
        """Return, after `close`, why it ended, in a sentence, where only the engine knows; else None."""

    def kill(self) -> None:
        """End everything inside at once. Idempotent; never raises; any thread."""

    def close(self) -> None:
        """Kill, reap, and remove all that the sandbox used (cgroups, descriptors). Idempotent."""


class Engine(Protocol):
    """A way to get a process behind a wall."""

    name: str

    def check(self, policy: Policy) -> list[Enforcement]:
        """Return how each limit would be kept here; starts nothing.

        :raises EngineUnavailableError: the engine cannot run here at all.
        """

    def software(self, policy: Policy) -> str:
        """Return what identifies the software inside; "" where it is this machine's own.

        :raises EngineUnavailableError: no daemon answers, or it lacks the image.
        """

    def sweep(self) -> list[str]:
        """Remove what sandboxes of hosts that were killed have left, and return what that was.

        Living ones are not touched. What cannot be reached or removed now is left for the next time.
        """

    def start(self, policy: Policy, launch: Launch) -> SandboxProcess:
        """Start the guest behind the wall and return without waiting for it.

        :raises EngineUnavailableError: the engine cannot run here; says what to install.
        :raises LimitUnenforceableError: a limit of the policy cannot be kept here.
        :raises WorkspaceError: the directory cannot be granted.
        :raises StartError: the wall could not be built.
        """
