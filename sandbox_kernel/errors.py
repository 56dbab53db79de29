"""Every failure that a caller can see: what happened, what to do next, and its exit code.

The message of each is one or two sentences for the person at the keyboard: what is wrong,
where, and what to do. Only a rim (the CLI, the provisioner) turns them into output.

Exit codes follow what batch users already know: 124 as timeout(1), 130 as an interrupted
shell command, 137 as a process killed for its limits (128 + SIGKILL), 138 as papermill's
code for a dead kernel.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What `sandbox-kernel` exits with."""

    OK = 0
    CELL_ERROR = 1
    USAGE = 2
    CHECK_FAILED = 3
    DEADLINE = 124
    CANCELLED = 130
    LIMIT = 137
    DIED = 138


class SandboxError(Exception):
    """The root of every failure that sandbox-kernel reports on purpose."""

    exit_code: ExitCode = ExitCode.DIED


class PolicyError(SandboxError):
    """A policy that was not understood, or that an administrator does not allow."""

    exit_code = ExitCode.USAGE


class EngineUnavailableError(SandboxError):
    """The asked-for wall cannot be built here; the message says what to install or set."""

    exit_code = ExitCode.USAGE


class DaemonGoneError(EngineUnavailableError):
    """The daemon that builds the wall does not answer, or no longer; it may when it is asked again."""


class LimitUnenforceableError(EngineUnavailableError):
    """A limit was asked for that nothing on this machine can enforce."""


class ImageError(SandboxError):
    """A container image that is missing, cannot be used, or could not be built; no container runs."""

    exit_code = ExitCode.USAGE


class WorkspaceError(SandboxError):
    """The notebook's directory cannot be given to a sandbox."""

    exit_code = ExitCode.USAGE


class AuditError(SandboxError):
    """An audit log is required, and cannot be written; nothing was run."""

    exit_code = ExitCode.USAGE


class NoSuchSandboxError(SandboxError):
    """No running sandbox, or more than one, has the asked-for id."""

    exit_code = ExitCode.USAGE


class StartError(SandboxError):
    """The sandbox or the kernel in it did not come up; the message ends with its own words."""

    exit_code = ExitCode.DIED

    def __init__(self, message: str, *, kind: str = "lost") -> None:
        """Note the message, and the kind of death that it was."""
        super().__init__(message)
        self.kind = kind


class TransferError(SandboxError):
    """A file was not brought into a kernel or out of one; the kernel may be none that can, or hostile."""


class NotebookError(SandboxError):
    """A notebook, or the kernel it asks for, cannot be used; nothing was run."""

    exit_code = ExitCode.USAGE


class ChecksError(SandboxError):
    """A file of checks that was not understood, or no submission to check; nothing was run."""

    exit_code = ExitCode.USAGE


class SessionError(SandboxError):
    """A sandbox was asked for what it cannot do: it is closed, or belongs to another process."""

    exit_code = ExitCode.USAGE


class CodeFailedError(SandboxError):
    """Code in a sandbox did not run to its end, and its caller wants that raised."""

    exit_code = ExitCode.CELL_ERROR

    def __init__(self, message: str, execution: object = None) -> None:
        """Note the cause, and all else that is known of it."""
        super().__init__(message)
        self.execution = execution
