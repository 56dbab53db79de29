"""Why a sandbox ended, in one sentence that its user can act on.

The facts come from outside the wall where they can (cgroup counters, who asked for the
end); the guest, which user code cannot reach, adds the kernel's own exit status. What code
inside can do is to bring an end about: a kernel that kills itself right after one of its
processes ran out of memory is taken for one that did.
"""

import signal
from typing import Literal

from msgspec import Struct

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.engines.base import CONTAINERS, OUR_IMAGE, Usage
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import KernelExit

Kind = Literal[
    "memory",
    "deadline",
    "stopped",
    "cancelled",
    "shutdown",
    "output",
    "limit",
    "audit",
    "protocol",
    "crash",
    "exit",
    "lost",
]


class Intent(Struct, frozen=True):
    """An end that somebody outside the wall asked for, or a notice of something less.

    `output`: a cell's was cut; `limit`: one was not let in; `audit`: the log could not be written.
    """

    kind: Kind
    sentence: str


KILLED = Intent("shutdown", "Its owner has ended it.")
STOPPED = Intent("stopped", "Stopped with `sandbox-kernel stop`.")


class Death(Struct, frozen=True):
    """How a sandbox ended."""

    kind: Kind
    sentence: str
    exit_code: ExitCode
    returncode: int
    """The kernel's exit status as subprocess has it: negative for a signal."""

    @property
    def expected(self) -> bool:
        """Whether a client or the owner asked for it, so that nobody needs telling."""
        return self.kind in ("shutdown", "cancelled")

    @property
    def error_name(self) -> str:
        """What stands where Python has the name of an exception."""
        return _ERROR_NAMES.get(self.kind, "KernelDied")


_ERROR_NAMES: dict[Kind, str] = {
    "memory": "MemoryLimitReached",
    "deadline": "DeadlinePassed",
    "stopped": "KernelStopped",
    "protocol": "ProtocolViolation",
}


_CODES: dict[Kind, ExitCode] = {
    "memory": ExitCode.LIMIT,
    "deadline": ExitCode.DEADLINE,
    "stopped": ExitCode.CANCELLED,
    "shutdown": ExitCode.OK,
}


def explain(
    policy: Policy,
    *,
    intent: Intent | None,
    kernel: KernelExit | None,
    status: int | None,
    usage: Usage,
    cause: str | None = None,
) -> Death:
    """Return why the sandbox ended, from all that is known about it.

    :param kernel: what the guest reported about the kernel, None if it could not.
    :param status: the exit status of the sandbox itself.
    :param cause: what the engine alone knows about the end.
    """
    returncode = kernel.returncode if kernel else -signal.SIGKILL
    kind, sentence = _cause(policy, intent, kernel, status, usage, cause)
    if usage.pids_refused and kind in ("crash", "exit", "lost"):
        sentence += f" The limit of {policy.pids} processes had been reached {usage.pids_refused} times."
    return Death(kind, sentence, _CODES.get(kind, ExitCode.DIED), returncode)


def _cause(
    policy: Policy,
    intent: Intent | None,
    kernel: KernelExit | None,
    status: int | None,
    usage: Usage,
    cause: str | None,
) -> tuple[Kind, str]:
    if intent and intent.kind != "shutdown":
        return intent.kind, intent.sentence
    killed = kernel is None or kernel.returncode == -signal.SIGKILL
    if killed and usage.oom_kills:
        return "memory", out_of_memory(policy, usage)
    if intent:
        return intent.kind, intent.sentence
    return _own_end(kernel) if kernel else _loss(status, cause)


def _loss(status: int | None, cause: str | None) -> tuple[Kind, str]:
    if status == 0 and not cause:
        return "exit", "The sandbox is gone. It was ended from inside."
    return "lost", f"The sandbox is gone. {cause or f'It ended without a word (exit status {status}).'}"


def out_of_memory(policy: Policy, usage: Usage) -> str:
    """Return the sentence for a process that was killed at the memory limit."""
    used = min(usage.memory_bytes, policy.memory) or policy.memory
    return f"Killed: used {format_size(used)} of {format_size(policy.memory)} memory ('memory')."


def _own_end(kernel: KernelExit) -> tuple[Kind, str]:
    if kernel.returncode >= 0:
        return "exit", f"The kernel ended itself with exit status {kernel.returncode}."
    return "crash", f"The kernel died of {signal_name(-kernel.returncode)}."


def signal_name(number: int) -> str:
    """Return a signal's name and meaning, e.g. "SIGSEGV (Segmentation fault)"."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} ({signal.strsignal(number)})"


def why_not_started(
    policy: Policy, engine: str, program: str, explained: str | None, wall: str, log: str
) -> str:
    """Return why a kernel was not ready, with what the wall and the kernel said meanwhile.

    :param engine: its wall's name.
    :param program: the Python that was to run it.
    :param explained: how it ended, None if it only took too long.
    """
    no_zmq = engine in CONTAINERS and "No module named 'zmq'" in wall
    if "No module named ipykernel" in log or no_zmq:
        return _no_ipykernel(engine, policy, program)
    late = f"The kernel was not ready within its start_timeout of {policy.start_timeout:g} s."
    reason = late if explained is None else f"The kernel did not start. {explained}"
    return "\n".join(part for part in (reason, wall, log) if part)


def _no_ipykernel(engine: str, policy: Policy, python: str) -> str:
    if engine in CONTAINERS:
        image = policy.image or OUR_IMAGE
        return (
            f"The image {image} has no ipykernel. Build one with it: "
            f"FROM {image}, RUN python3 -m pip install ipykernel."
        )
    return f"{python} has no ipykernel. Install it with: {python} -m pip install ipykernel"
