"""A kernel behind a wall, as its owner holds it.

`Sandbox.start` begins a thread that starts the engine's process, serves it, and stays until
nothing of it is left. Every other method only leaves word for that thread, or reads what it
has published; all may be called from any thread and from any event loop, running or not:
jupyter_client drives us from both, and from loops that stand still between two calls.

The order at the end is a promise: clients are told why, the sockets are flushed and closed,
everything is removed, and only then do `poll` and `ended` tell of it. Whoever sees the death
may start the next launch on the same front at once.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import zmq

from sandbox_kernel.errors import ExitCode, SandboxError, StartError
from sandbox_kernel.host import living, registry
from sandbox_kernel.host.audit import Audit
from sandbox_kernel.host.content import content_filters
from sandbox_kernel.host.deadlines import Deadlines, Due, Verdict
from sandbox_kernel.host.deaths import Death, Intent, explain, why_not_started
from sandbox_kernel.host.engines.base import CONTAINERS, OUR_IMAGE, Engine, Launch, SandboxProcess, Usage
from sandbox_kernel.host.front import Front
from sandbox_kernel.host.guard import MAX_REPLY, Guard, ViolationError
from sandbox_kernel.host.janitor import JANITOR
from sandbox_kernel.host.kernel_log import KernelLog
from sandbox_kernel.host.secrets import NO_SECRETS, Masks, Secrets
from sandbox_kernel.host.tunnel import Commands, GuestVersionError, Sockets, Tunnel
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import RemoteProtocolError, Signal

log = logging.getLogger(__name__)

LINGER = 1000
"""Milliseconds that a client has to take the last messages before its socket is closed."""

KILLED = Intent("shutdown", "It was killed by its owner.")
CANCELLED = "It was killed by its owner while a cell was running."

STOPPED = Intent("stopped", "Stopped with `sandbox-kernel stop`.")

SIGINT, SIGKILL, SIGTERM = 2, 9, 15

_NEVER = Death("lost", "It never started.", StartError.exit_code, -SIGKILL)

__all__ = ["Death", "Front", "Sandbox"]


class Sandbox:
    """One launch of one kernel."""

    def __init__(
        self,
        policy: Policy,
        launch: Launch,
        engine: Engine,
        front: Front,
        *,
        log: Callable[[str], None] = lambda _: None,
        secrets: Secrets = NO_SECRETS,
        audit: Audit | None = None,
    ) -> None:
        """Take what a launch needs.

        :param secrets: what the guest gets over its stream; engines never see it.
        :param audit: writes down what happens; None: nobody does.
        """
        self.policy = policy
        self.launch = launch
        self.engine = engine
        self.front = front
        self.ended: Future[Death] = Future()
        self.cause: Death | None = None
        """How it is ending, a little before it has ended: clients have been told."""
        self.notices: list[Intent] = []
        """What the guard did to cells without ending the kernel: deadlines that interrupted, output cut."""
        self._secrets = secrets
        self._masks = Masks(secrets.values())
        self._log = KernelLog(log, self._masks)
        self._audit = audit or Audit()
        self._audit.hide = self._masks.text
        self._audit.on_loss = lambda sentence: self.notices.append(Intent("audit", sentence))
        self._audit.on_failure = lambda sentence: self.kill(Intent("stopped", sentence))
        self._used = Usage()
        self._guard: Guard | None = None
        self._started: Future[None] = Future()
        self._intent: Intent | None = None
        self._process: SandboxProcess | None = None
        self._tunnel: Tunnel | None = None
        self._commands = Commands()
        self._bell: registry.Bell | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        state = f"ended: {self.death.sentence}" if self.death else "ready" if self.ready else "starting"
        return f"<Sandbox {self.launch.name} {self.engine.name} {state}>"

    @property
    def ready(self) -> bool:
        """Whether the kernel has answered."""
        return self._started.done() and self._started.exception() is None

    @property
    def death(self) -> Death | None:
        """How it ended; None while it lives."""
        return self.ended.result() if self.ended.done() else None

    @property
    def wall(self) -> str:
        """What stands around it, for people: "bubblewrap", or "docker, image NAME, runtime runsc"."""
        name, policy = self.engine.name, self.policy
        if name not in CONTAINERS:
            return name
        runtime = f", runtime {policy.runtime}" if policy.runtime else ""
        return f"{name}, image {policy.image or OUR_IMAGE}{runtime}"

    @property
    def provenance(self) -> dict[str, object]:
        """Where results of this kernel come from, for documents; empty before the wall stands."""
        tunnel = self._tunnel
        used = self.usage() | tunnel.counted if tunnel and not self.ended.done() else self._used
        return self._audit.provenance(used)

    @property
    def pid(self) -> int:
        """A process whose death is the sandbox's; 0 if there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> "Future[None]":
        """Begin; the future resolves when the kernel is ready.

        It fails with a SandboxError whose message tells the user what to do; nothing is left then.
        """
        living.enter(self)
        thread = threading.Thread(target=self._run, name=f"sandbox-{self.launch.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no room for a thread: RLIMIT_NPROC, or a control group's limit
            living.leave(self)
            self._commands.close()
            self._publish_end(_NEVER, StartError(f"No thread can be started for the kernel: {error}."))
        else:
            self._thread = thread
        return self._started

    def poll(self) -> int | None:
        """Return None while it lives, else the kernel's exit status. Instant."""
        return self.death.returncode if self.death else None

    def usage(self) -> Usage:
        """Return what the wall has counted; zeros when it is not running."""
        process = self._process
        return process.usage() if process and not self.ended.done() else Usage()

    def send_signal(self, signum: int) -> None:
        """Signal the kernel's whole process group. Never raises; the dead are not bothered."""
        if signum == SIGKILL:
            self.kill()
            return
        if signum == SIGTERM:
            self._intend(Intent("shutdown", "It was asked to end."))
        self._commands.put(lambda: self._tunnel.tell(Signal(signum)) if self._tunnel else None)

    def kill(self, intent: Intent | None = None) -> None:
        """End everything inside at once. Idempotent; never raises."""
        self._intend(intent or KILLED)
        with self._lock:
            process = self._process
        if process:
            process.kill()
        if intent is None:
            self._commands.put(self._dismiss)

    def _dismiss(self) -> None:
        if self._tunnel:
            self._tunnel.dismiss()

    def close(self) -> None:
        """End it and return when nothing of this launch is left. Idempotent."""
        self.kill()
        thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join()

    def abandon(self) -> None:
        """In a forked child: let go of what would keep it alive after its owner, the parent."""
        process, self._process, self._thread = self._process, None, None
        for descriptor in (process.stdin, process.stdout, process.stderr) if process else ():
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _intend(self, intent: Intent) -> None:
        self._intent = self._intent or intent

    # From here on: in the sandbox's own thread.

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] | None = None
        failure: SandboxError | None = None
        death = _NEVER
        try:
            context = zmq.Context()
            registry.sweep_once(self.engine.name, self.engine.sweep)
            JANITOR.note(self.launch.name)
            death = self._serve(context)
        except SandboxError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the thread's rim: whoever waits is told, with the cause
            failure = StartError(f"sandbox-kernel itself failed: {error!r}. Please report this.")
            failure.__cause__ = error
        finally:
            try:
                self._clear(context)
            finally:  # whoever waits is told, whatever else fails
                self._publish_end(death, failure)

    def _serve(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Death:
        sockets = self.front.bind(context)
        started = time.monotonic()
        process = self._start_process()
        guard = self._guard = Guard(
            self.policy,
            outer=self.front.key,
            filters=content_filters(self.policy),
            observer=self._audit.observer,
            masks=self._masks,
        )
        guard.on_loss = lambda sentence: self.notices.append(Intent("output", sentence))
        tunnel = self._open_tunnel(process, sockets, guard)
        tunnel.tell(self._secrets.into(process.start_message))
        self._enter(process, tunnel)
        self._attend(tunnel, start_by=started + self.policy.start_timeout)
        self._log.last_words()  # what was held back of them is told as well
        death = self._autopsy(process, tunnel, guard)
        if not tunnel.ready:
            raise StartError(self._why_not(death, tunnel))
        if not death.expected:
            self._tell_clients(tunnel, guard, death)
        return death

    def _tell_clients(self, tunnel: Tunnel, guard: Guard, death: Death) -> None:
        tunnel.take_last_requests()
        in_a_cell = guard.ledger.running() is not None
        tunnel.publish(guard.last_words(death))
        self.cause = death
        if in_a_cell:
            tunnel.answer_for_the_dead()

    def _start_process(self) -> SandboxProcess:
        """Build the wall, and write down what is about to run in it, before any code of it does."""
        try:
            process = self.engine.start(self.policy, self.launch)
        except SandboxError:
            self._audit.attempted(self.policy, self.launch, self.engine.name)
            raise
        with self._lock:
            self._process = process
        if self._intent:
            process.kill()
        self._audit.begin(self.policy, self.launch, self.engine.name, process.image_id)
        return process

    def _open_tunnel(self, process: SandboxProcess, sockets: Sockets, guard: Guard) -> Tunnel:
        tunnel = Tunnel(
            process,
            sockets,
            guard,
            Deadlines(self.policy),
            self._commands,
            max_message=max(self.policy.message, MAX_REPLY),
            log=self._log.note,
        )
        tunnel.on_ready = lambda: self._started.set_result(None)
        tunnel.on_due = self._on_due
        self._tunnel = tunnel
        return tunnel

    def _enter(self, process: SandboxProcess, tunnel: Tunnel) -> None:
        if self.front.directory:
            self._bell = registry.Bell(self.front.directory)
            tunnel.listen(self._bell.fileno(), partial(self.kill, STOPPED))
            registry.enter(
                self.front.directory,
                name=self.launch.name,
                pid=process.pid,
                engine=self.engine.name,
                memory=self.policy.memory,
                directory=self.launch.directory,
            )

    def _attend(self, tunnel: Tunnel, *, start_by: float) -> None:
        try:
            tunnel.serve(start_by=start_by)
        except RemoteProtocolError as error:
            self._intend(Intent("protocol", f"The sandbox broke the protocol of its tunnel: {error}."))
        except GuestVersionError as error:
            self._intend(Intent("protocol", str(error)))
        except ViolationError as error:
            self._intend(Intent("protocol", f"Killed: the kernel sent {error}."))
        except Exception as error:  # ours, or a library's: clients are told as of any other end
            log.exception("The tunnel of kernel %s failed.", self.launch.name)
            self._intend(Intent("protocol", f"sandbox-kernel itself failed: {error!r}. Please report this."))

    def _on_due(self, due: Due) -> None:
        self._audit.deadline()
        intent = Intent("deadline", due.sentence)
        if due.verdict is Verdict.END:
            self.kill(intent)
        else:
            self.notices.append(intent)

    def _autopsy(self, process: SandboxProcess, tunnel: Tunnel, guard: Guard) -> Death:
        """End whatever still runs, and find out why it ended."""
        if guard.shutdown_requested:
            self._intend(Intent("shutdown", "A client asked it to shut down."))
        process.kill()
        usage = process.usage() | tunnel.counted
        process.close()
        usage |= process.usage()
        exited = tunnel.kernel_exit
        self._used = (
            usage | Usage(cpu_seconds=exited.cpu_seconds, memory_bytes=exited.max_rss) if exited else usage
        )
        if self.front.directory and registry.stop_requested(self.front.directory):
            self._intent = STOPPED
        death = explain(
            self.policy,
            intent=self._intent,
            kernel=tunnel.kernel_exit,
            status=process.poll(),
            usage=usage,
            cause=process.cause(),
        )
        if self._intent is KILLED and death.expected and guard.ledger.running() is not None:
            return replace(death, kind="cancelled", sentence=CANCELLED, exit_code=ExitCode.CANCELLED)
        return death

    def _why_not(self, death: Death, tunnel: Tunnel) -> str:
        return why_not_started(
            self.policy,
            engine=self.engine.name,
            program=self.launch.argv[0],
            explained=death.sentence if tunnel.ended or death.kind == "protocol" else None,
            wall=tunnel.complaints.decode(errors="replace").strip(),
            log=self._log.last_words().strip(),
        )

    def _clear(self, context: "zmq.Context[zmq.Socket[bytes]] | None") -> None:
        """Flush and close the sockets and remove all that this launch used.

        Each step is taken whatever became of the one before: the last failure is raised.
        """
        with contextlib.ExitStack() as steps:
            steps.callback(living.leave, self)
            steps.callback(self._commands.close)
            steps.callback(JANITOR.forget, self.launch.name)
            if self._bell:
                steps.callback(self._bell.close)
            if self.front.directory and self.front.directory.exists():
                steps.callback(registry.leave, self.front.directory)
            if self._process:
                steps.callback(self._process.close)
            if context:
                steps.callback(context.destroy, linger=LINGER)

    def _publish_end(self, death: Death, failure: SandboxError | None) -> None:
        if failure and self._started.done():
            death = replace(death, sentence=str(failure))
        try:
            guard = self._guard
            self._audit.end(
                death,
                self._used,
                refused=guard.refused if guard else 0,
                unfinished=(guard.budget.shown, guard.budget.dropped) if guard else (0, 0),
                reason=str(failure or death.sentence),
            )
        finally:
            self.ended.set_result(death)
        if not self._started.done():
            self._started.set_exception(failure or StartError(death.sentence))
