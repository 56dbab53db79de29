"""The audit of one launch, as the sandbox that it is of uses it."""

import contextlib
import getpass
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from sandbox_kernel import __version__
from sandbox_kernel.errors import AuditError
from sandbox_kernel.host.audit.environment import fingerprint
from sandbox_kernel.host.audit.log import AuditLog
from sandbox_kernel.host.audit.recorder import Recorder
from sandbox_kernel.host.audit.records import Record, capped, line, moment, policy_digest, record
from sandbox_kernel.host.audit.settings import AuditSettings
from sandbox_kernel.host.audit.writer import Writer
from sandbox_kernel.host.deaths import Death
from sandbox_kernel.host.engines.base import CONTAINERS, OUR_IMAGE, Launch, Usage
from sandbox_kernel.host.hooks import Observer
from sandbox_kernel.policy import Policy

PATIENCE: Final = 5.0
"""Seconds that a disk has: to take the first line where the log is required, and the last one."""


class Kernel(Struct, frozen=True):
    """Which kernel a launch is of, as its starter calls it."""

    id: str | None = None
    name: str | None = None


class Audit:
    """Writes down one launch of one kernel. Only `begin` raises, and only if a log is required."""

    def __init__(
        self,
        settings: AuditSettings | None = None,
        kernel: Kernel | None = None,
        *,
        warn: Callable[[str], None] = lambda _: None,
        also: Callable[[Record], None] | None = None,
    ) -> None:
        """Note what is wanted; nothing is written or opened yet.

        :param warn: gets a sentence, once, when the log cannot be written.
        :param also: gets every record as well, in the sandbox's thread.
        """
        self.settings = settings or AuditSettings()
        self.on_failure: Callable[[str], None] = lambda _: None
        """Called, from another thread, when a log that is required can be written no longer."""
        self.on_loss: Callable[[str], None] = lambda _: None
        """Gets the sentence that `warn` gets, for programs that show no log."""
        self.hide: Callable[[str], str] = str
        """Makes of code what may be kept of it."""
        self._kernel = kernel or Kernel()
        self._warn = warn
        self._also = also
        self._writer: Writer | None = None
        self._recorder: Recorder | None = None
        self._session = ""
        self._origin: Record = {}
        self._began = (0.0, 0.0)

    def __repr__(self) -> str:
        return f"<Audit {self.settings}>"

    @property
    def observer(self) -> Observer | None:
        """What the guard is to tell of cells; None where nobody wants to know."""
        return self._recorder

    @property
    def wanted(self) -> bool:
        """Whether anything is written down at all."""
        return self.settings.mode != "off"

    def attempted(self, policy: Policy, launch: Launch, engine: str) -> None:
        """Write down what would have run, had there been a wall; whoever asked is told of that already."""
        with contextlib.suppress(AuditError):
            self.begin(policy, launch, engine, None)

    def begin(self, policy: Policy, launch: Launch, engine: str, image_id: str | None) -> None:
        """Write down what is about to run.

        :raises AuditError: a log is required, and cannot be written.
        """
        self._began = time.time(), time.monotonic()
        self._session = launch.name
        self._origin = origin(policy, launch, engine, image_id)
        if not self.wanted:
            return
        log = AuditLog(self.settings.place, self.settings.size)
        self._writer = Writer(log, launch.name, on_failure=self._failed)
        keep = self.hide if self.settings.code else None
        self._recorder = Recorder(launch.name, self._say, keep=keep)
        names = {"kernel_id": capped(self._kernel.id), "kernel_name": capped(self._kernel.name)}
        said = {**names, **self._origin, "directory": capped(launch.directory), **_who()}
        self._say(record("session_start", launch.name, self._began[0], **said))
        if self.settings.mode == "required":
            if not self._writer.flush(PATIENCE):
                raise AuditError(f"The audit log {self.settings.place} does not answer, and is required.")
            if self._writer.lost:
                raise AuditError(
                    f"The audit log {self.settings.place} cannot be written, and is required; nothing was "
                    "run. Make room, or name another place with c.SandboxProvisioner.audit_log."
                )

    def provenance(self, usage: Usage) -> Record:
        """Return where results of this launch come from: for documents, so without who made them, and where.

        Empty before it has begun.
        """
        return {"session": self._session, **self._origin, **_figures(usage)} if self._origin else {}

    def deadline(self) -> None:
        """Note that the running cell is being ended at a deadline."""
        if self._recorder:
            self._recorder.interrupted("deadline")

    def end(
        self, death: Death, usage: Usage, *, refused: int, unfinished: tuple[int, int], reason: str
    ) -> None:
        """Write down how it ended, and wait a little for the disk. Idempotent.

        :param unfinished: bytes shown and dropped since the last cell whose output was complete.
        """
        recorder, writer = self._recorder, self._writer
        if recorder is None or writer is None:
            return
        recorder.close(*unfinished)
        self._say(
            record(
                "session_end",
                self._session,
                time.time(),
                cause=death.kind,
                reason=capped(reason),
                exit_code=int(death.exit_code),
                returncode=death.returncode,
                start=moment(self._began[0]),
                duration=round(time.monotonic() - self._began[1], 3),
                **_figures(usage),
                cells=recorder.cells,
                output_bytes=recorder.output_bytes,
                refused=refused,
                lost=writer.lost,
            )
        )
        self._writer = None
        writer.close(PATIENCE)

    def _say(self, said: Record) -> None:
        if self._writer:
            self._writer.put(line(said))
        if self._also:
            self._also(said)

    def _failed(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        sentence = f"The audit log {self.settings.place} cannot be written: {reason}."
        self.on_loss(sentence)
        self._warn(sentence)
        if self.settings.mode == "required":
            self.on_failure(f"{sentence} The administrator requires it.")


def origin(policy: Policy, launch: Launch, engine: str, image_id: str | None) -> Record:
    """Return what a launch is made of, as far as it is known before anything of it has run."""
    contained = engine in CONTAINERS
    return {
        "engine": engine,
        "runtime": policy.runtime,
        "image": (policy.image or OUR_IMAGE) if contained else None,
        "image_id": capped(image_id),
        "environment": None if contained else fingerprint(launch.argv[0]),
        "policy": policy.to_dict(),
        "policy_sha256": policy_digest(policy),
        "version": __version__,
    }


def _figures(usage: Usage) -> Record:
    return {"cpu_seconds": round(usage.cpu_seconds, 3) or None, "memory_bytes": usage.memory_bytes or None}


def _who() -> dict[str, Any]:
    """Return who starts it, where, with which program."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        name = ""
    hub = os.environ.get("JUPYTERHUB_USER")
    return {
        "user": {"uid": os.getuid(), "name": capped(name), "jupyterhub": capped(hub)},
        "host": {"name": capped(os.uname().nodename), "pid": os.getpid()},
        "program": capped(Path(sys.argv[0]).name if sys.argv else ""),
    }
