"""The kernel's process: how it is started, signalled and what is left of it.

It gets its own session and process group, so that an interrupt reaches it and its children
and never the guest. SIGINT is ignored when it starts, so that an interrupt during its imports
does not kill it: ipykernel takes SIGINT over for as long as a cell runs.
"""

from __future__ import annotations

import os
import resource

from sandbox_kernel.guest.nursery import StillbornError
from sandbox_kernel.guest.profile import write_profile
from sandbox_kernel.wire.named import NamedTuple, suppress
from sandbox_kernel.wire.supervision import SECRETS
from sandbox_kernel.wire.text import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Iterator
    from typing import Callable

    from sandbox_kernel.guest.nursery import Nursery
    from sandbox_kernel.wire import Start
else:
    import _signal as signal  # without `enum`, which the other brings

MAX_SOCKET_PATH = 107
"""Longest path of a unix socket on Linux (sun_path, less its closing NUL)."""

CANNOT_EXECUTE = 127
"""The exit code of a kernel whose command could not be started, as a shell reports it."""

_OOM_SCORE = "1000"  # the first to go when memory runs out, rather than the guest beside it
_PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}


class UnstartableError(Exception):
    """The kernel could not be started; the message says why, for people."""


class Exit(NamedTuple):
    """How a process ended and what it took."""

    returncode: int
    max_rss: int
    cpu_seconds: float


def exit_of(status: int, usage: resource.struct_rusage) -> Exit:
    """Translate what wait3 and wait4 report; Linux counts ru_maxrss in KiB."""
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return Exit(code, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


class Adopted:
    """A process that we have not started, and that is our child all the same."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None


class Kernel:
    """A running kernel, as its parent knows it."""

    def __init__(self, process: subprocess.Popen[bytes] | Adopted, output: int) -> None:
        self.pid = process.pid
        self.output = output
        """What it writes to its standard output and error; does not block."""
        self.exit: Exit | None = None
        self._process = process

    def __repr__(self) -> str:
        return f"<Kernel {self.pid} {self.exit or 'running'}>"

    def signal(self, number: int) -> None:
        """Send a signal to its process group; nothing happens if it has ended."""
        if self.exit is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def ended(self, how: Exit) -> None:
        """Note that it was reaped; its process id may now mean something else."""
        self.exit = how
        self._process.returncode = how.returncode


def start(order: Start, prepare: Callable[[], None], nursery: Nursery | None = None) -> tuple[Kernel, str]:
    """Start the kernel; return it, and why it could not be forked where that was meant to be.

    `prepare` is called in its process just before it becomes the kernel, if it is started here.

    :raises UnstartableError: the command cannot be executed, or a path does not fit.
    """
    read, write = os.pipe()  # close-on-exec, as all that Python opens
    complaint = ""
    try:
        connection_file = _write_connection_file(order)
        write_secrets(order)
        if "IPYTHONDIR" in order.env:
            write_profile(order.env["IPYTHONDIR"], order.preload)
        # 1: ipykernel watches no parent, and is quiet
        order = order._replace(env={**order.env, "JPY_PARENT_PID": "1"})
        argv = [each.replace("{connection_file}", connection_file) for each in order.argv]
        process, complaint = _adopted(order, argv, write, nursery)
        process = process or _started(order, argv, write, _prepared(prepare, nursery))
    except UnstartableError:
        os.close(read)
        raise
    except OSError as error:
        os.close(read)
        raise UnstartableError(f"The kernel cannot be started: {error}.") from error
    finally:
        os.close(write)
    os.set_blocking(read, False)
    prefer_for_oom(process.pid)
    return Kernel(process, read), complaint


def _adopted(
    order: Start, argv: list[str], output: int, nursery: Nursery | None
) -> tuple[Adopted | subprocess.Popen[bytes] | None, str]:
    """Return a kernel that was forked outside and is ours now, or None and why there is none."""
    if nursery is None:
        return None, ""
    try:
        return Adopted(nursery.take(order, argv, list(limits(order)), output)), ""
    except StillbornError as error:
        return None, str(error)


def _prepared(prepare: Callable[[], None], nursery: Nursery | None) -> Callable[[], None]:
    def both() -> None:
        prepare()
        if nursery:
            nursery.raise_wall()

    return both


def _started(
    order: Start, argv: list[str], output: int, prepare: Callable[[], None]
) -> subprocess.Popen[bytes]:
    import subprocess  # noqa: PLC0415 - a kernel that was forked does without

    try:
        return subprocess.Popen(
            argv,
            env=order.env,
            cwd=order.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - PID 1 has one thread; the double takes the risk
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnstartableError(f"The kernel's command cannot be started: {error}.") from error


def socket_prefix(runtime_dir: str) -> str:
    """Return what a port's number follows, after a dash, in the path of its socket."""
    return f"{runtime_dir}/k"


def ignore_interrupts() -> None:
    """Let the kernel start deaf to SIGINT; runs in the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def limits(order: Start) -> Iterator[tuple[int, int]]:
    """Yield the kernel's resource limits, kind and value, as far as we may set them."""
    most = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: order.files}
    if order.pids is not None:
        most[resource.RLIMIT_NPROC] = order.pids
    for what, limit in most.items():
        hard = resource.getrlimit(what)[1]
        yield what, limit if hard == resource.RLIM_INFINITY else min(limit, hard)


def limit_resources(order: Start) -> None:
    """Set what the kernel and all its children are bound by; runs in the child."""
    for what, limit in limits(order):
        resource.setrlimit(what, (limit, limit))


def _write_connection_file(order: Start) -> str:
    prefix = socket_prefix(order.runtime_dir)
    if len(os.fsencode(prefix)) + 2 > MAX_SOCKET_PATH:
        raise UnstartableError(
            f"The directory {order.runtime_dir} is too long for a socket in it: "
            f"a socket's path has at most {MAX_SOCKET_PATH} bytes."
        )
    info = {"transport": "ipc", "ip": prefix, **_PORTS, "key": order.key, "signature_scheme": "hmac-sha256"}
    path = f"{order.runtime_dir}/kernel.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(dumps(info))
    return path


def write_secrets(order: Start) -> None:
    """Put the granted secrets beside the connection file: in memory, for the kernel's user alone."""
    if not order.secrets:
        return
    directory = os.path.join(order.runtime_dir, SECRETS)
    os.mkdir(directory, 0o700)
    for name, value in order.secrets.items():
        path = os.path.join(directory, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        with open(descriptor, "wb") as file:
            file.write(value.encode("utf-8", "surrogateescape"))


def prefer_for_oom(pid: int) -> None:
    """Have the machine end it first, rather than the guest beside it."""
    # Best effort: /proc may be read-only or absent. Whoever dies first, the host is told.
    with suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
        file.write(_OOM_SCORE)
