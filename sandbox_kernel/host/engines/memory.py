"""The test double: the real guest, in a thread of this process, with no wall at all.

The kernel is an ordinary child process that can do whatever its user can. So this engine
cannot be chosen by name: no kernelspec, option or variable reaches it, only code that
passes it to a Sandbox on purpose.
"""

import os
import shutil
import tempfile
import threading
from pathlib import Path

from sandbox_kernel.guest.supervisor import run
from sandbox_kernel.host.engines.base import Enforcement, Launch, Pipes, Usage
from sandbox_kernel.host.environment import HOME, kernel_environment
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import WIRE_VERSION, Start

_NOTHING = "nothing: this engine is a test double and builds no wall"


class MemoryEngine:
    """Runs the guest in-process."""

    name = "memory"

    def check(self, policy: Policy) -> list[Enforcement]:  # noqa: ARG002 - the protocol's signature
        """Return that nothing is enforced."""
        limits = ("memory", "cpus", "pids", "tmp", "network")
        return [Enforcement(limit, None, _NOTHING) for limit in limits]

    def software(self, policy: Policy) -> str:  # noqa: ARG002 - the protocol's signature
        """Return "": it is this process's own."""
        return ""

    def sweep(self) -> list[str]:
        """Do nothing: the kernels ended with the thread that they were tied to."""
        return []

    def start(self, policy: Policy, launch: Launch) -> "MemoryProcess":
        """Start the guest in a thread."""
        return MemoryProcess(policy, launch)


class MemoryProcess(Pipes):
    """The guest's thread, with a pipe each way."""

    def __init__(self, policy: Policy, launch: Launch) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="sk-"))
        guest_in, self.stdin = os.pipe2(os.O_CLOEXEC)
        self.stdout, guest_out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.stderr = -1
        self.pid = 0
        self.start_message = Start(
            version=WIRE_VERSION,
            argv=launch.argv,
            env=self._environment(policy, launch),
            cwd=str(self._home if policy.workspace == "none" else launch.directory),
            runtime_dir=str(self._home),
            key="",
            files=policy.files,
            pids=None,
            preload=policy.preload,
        )
        self._status: int | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, args=(guest_in, guest_out), daemon=True)
        self._thread.start()

    def _environment(self, policy: Policy, launch: Launch) -> dict[str, str]:
        sandboxed = kernel_environment(policy, launch, os.environ)
        here = {name: value.replace(HOME, str(self._home)) for name, value in sandboxed.items()}
        return here | {"TMPDIR": str(self._home)}

    def _run(self, guest_in: int, guest_out: int) -> None:
        self._status = run(guest_in, guest_out, as_init=False)  # closes both

    def poll(self) -> int | None:
        """Return the guest's exit status once its thread has ended."""
        return None if self._thread.is_alive() else self._status

    def usage(self) -> Usage:
        """Return zeros: nobody counts here."""
        return Usage()

    def kill(self) -> None:
        """Close the guest's input: it ends its kernel at the end of file."""
        with self._lock:
            if self.stdin >= 0:
                os.close(self.stdin)
                self.stdin = -1

    def close(self) -> None:
        """End the guest and remove its directory."""
        self.kill()
        self._thread.join()
        if not self._closed:
            self._closed = True
            os.close(self.stdout)
            shutil.rmtree(self._home, ignore_errors=True)
