"""A sandboxed kernel for programs that know nothing of provisioners and just run an argv.

VS Code is one. They write a connection file, run ``python -E -P -m sandbox_provisioner -f FILE`` and
treat the process as if it were the kernel; so this process stands for the kernel behind the
wall:

- it serves at exactly the addresses, and with the key, that the file names;
- SIGINT interrupts the running cell, as does an interrupt_request;
- SIGTERM and SIGHUP end the kernel, and two seconds later the sandbox; so does the death of
  the process that started this one, unless it was started by nohup;
- it exits when the kernel does. Exit codes: the kernel's own if it exited by itself or was
  shut down, but 138 where its own would be taken for one of these: 128 + n when signal n ended
  this process; 124 past a deadline, 130 stopped with ``sandbox-kernel stop``, 137 at the memory
  limit, 138 died otherwise or never started; 2 for a policy or an argument that was not
  understood. Whatever is not a normal end is explained in one sentence on standard error.

The policy comes from SANDBOX_KERNEL_* variables and, under them, from Jupyter's configuration,
whose maxima bind here as well.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Final

from sandbox_kernel.errors import ExitCode, SandboxError
from sandbox_kernel.host.audit import AUDIT_NAMES, Audit, AuditSettings
from sandbox_kernel.host.engines import select_engine
from sandbox_kernel.host.engines.base import CONNECTION_FILE, Launch
from sandbox_kernel.host.sandbox import Death, Front, Sandbox
from sandbox_kernel.host.secrets import read_secrets
from sandbox_kernel.policy import FIELD_NAMES, MAXIMA_NAMES, Layer, Maxima, Policy, layer_from_environment
from sandbox_provisioner.command import LAUNCHER, kernel_command
from sandbox_provisioner.configuration import SECTION, SOURCE, machine_configuration, refuse_unused
from sandbox_provisioner.connection import printable
from sandbox_provisioner.events import Events
from sandbox_provisioner.grants import workspace

GRACE: Final = 2.0
"""Seconds that a kernel has to end by itself when it was told to."""

_USAGE: Final = "usage: python -E -P -m sandbox_provisioner -f CONNECTION_FILE [arguments of ipykernel]"
RESERVED: Final = frozenset({
    *(code for code in ExitCode if code > ExitCode.CELL_ERROR),
    *(128 + signum for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)),
})  # fmt: skip
"""What this process says about an end. Code inside chooses its exit status, and could say it too."""
_OPTIONS: Final = ("-f", "--f", "--IPKernelApp.connection_file")


class UsageError(SandboxError):
    """The command line was not understood."""

    exit_code = ExitCode.USAGE


def main(arguments: Sequence[str]) -> int:
    """Run a sandboxed kernel to its end and return the exit code; the only place that prints."""
    if arguments and arguments[0] in {"-h", "--help"}:
        print(f"{_USAGE}\n\n{__doc__}")  # noqa: T201 - asked for
        return ExitCode.OK
    try:
        code, sentence = run(arguments)
    except SandboxError as error:
        code, sentence = error.exit_code, str(error)
    if sentence:
        say(f"Sandboxed kernel: {sentence}\n")
    return code


def say(text: str) -> None:
    """Write to standard error, if anybody still listens."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(printable(text))
        sys.stderr.flush()


def run(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a sandboxed kernel to its end; return the exit code and what is to be said about it.

    :raises SandboxError: it did not come up.
    """
    path, rest = split(arguments)
    section = read_section()
    policy = read_policy(section)
    settings = AuditSettings.from_settings(_named(section, AUDIT_NAMES), source=SOURCE)
    audit = Audit(settings, warn=lambda sentence: say(f"Sandboxed kernel: {sentence}\n"))
    command = kernel_command([sys.executable, *LAUNCHER, "-f", CONNECTION_FILE], rest)
    launch = Launch(command, workspace(None), token_hex(8))
    granted = read_secrets(policy, os.environ, launch.directory)
    engine = select_engine(policy, launch)
    with Events() as events, contextlib.closing(Front.from_connection_file(path)) as front:
        sandbox = Sandbox(policy, launch, engine, front, log=say, secrets=granted, audit=audit)
        started = sandbox.start()
        sandbox.ended.add_done_callback(lambda _: events.report_end())
        try:
            asked = attend(sandbox, events)
        finally:
            sandbox.close()
        if asked:
            return 128 + asked, ""
        started.result()
        return verdict(sandbox.ended.result())


def read_section() -> dict[str, object]:
    """Return what Jupyter's configuration says of sandboxes.

    :raises PolicyError: a setting is not known.
    """
    section = dict(machine_configuration().get(SECTION, {}))
    refuse_unused(section, (*FIELD_NAMES, *MAXIMA_NAMES, *AUDIT_NAMES), SOURCE)
    return section


def _named(section: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    return {name: section[name] for name in names if name in section}


def read_policy(section: Mapping[str, object]) -> Policy:
    """Return what the configuration and the environment ask for, within the maxima.

    :raises PolicyError: a setting is not usable, or above its maximum.
    """
    maxima = Maxima.from_settings(_named(section, MAXIMA_NAMES), source=SOURCE)
    layer = Layer(_named(section, FIELD_NAMES), SOURCE)
    return Policy.from_layers([layer, layer_from_environment(os.environ)], maxima=maxima)


def split(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the connection file's path, and the arguments that are for the kernel.

    :raises UsageError: no connection file is named.
    """
    rest = list(arguments)
    for index, argument in enumerate(rest):
        option, equals, value = argument.partition("=")
        if option in _OPTIONS and equals:
            return Path(value), rest[:index] + rest[index + 1 :]
        if option in _OPTIONS and index + 1 < len(rest):
            return Path(rest[index + 1]), rest[:index] + rest[index + 2 :]
    raise UsageError(f"no connection file is named. {_USAGE}")


def attend(sandbox: Sandbox, events: Events) -> int:
    """Pass on what this process is asked until the sandbox has ended; return the signal that asked for it."""
    asked, kill_at = 0, None
    while not sandbox.ended.done():
        remaining = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        for signum in events.wait(remaining):
            if signum == signal.SIGINT:
                sandbox.send_signal(signum)
            elif asked:
                kill_at = 0.0  # told a second time: at once
            else:
                asked, kill_at = signum, time.monotonic() + GRACE
                sandbox.send_signal(signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            sandbox.kill()
            kill_at = None
    return asked


def verdict(death: Death) -> tuple[int, str]:
    """Return the exit code for an end, and its explanation where it was not a normal one."""
    if death.kind not in {"exit", "shutdown", "cancelled"}:
        return death.exit_code, death.sentence
    code = death.returncode if death.returncode >= 0 else 128 - death.returncode
    if code in RESERVED:
        return ExitCode.DIED, f"The kernel ended itself with exit status {code}, which proves nothing."
    return code, ""
