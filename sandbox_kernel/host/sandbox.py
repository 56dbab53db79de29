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
from functools import partial
from pathlib import Path
from secrets import token_bytes

import zmq
from msgspec.structs import replace

from sandbox_kernel.errors import SandboxError, StartError
from sandbox_kernel.host import living, registry
from sandbox_kernel.host.audit import Audit
from sandbox_kernel.host.autopsy import autopsy, end, own_usage
from sandbox_kernel.host.commands import Commands
from sandbox_kernel.host.deadlines import Deadlines, Due, Verdict
from sandbox_kernel.host.deaths import KILLED, STOPPED, Death, Intent, why_not_started
from sandbox_kernel.host.engines.base import Engine, Launch, SandboxProcess, Usage, name_of_wall
from sandbox_kernel.host.front import Front
from sandbox_kernel.host.guard import MAX_REPLY, Guard, ViolationError
from sandbox_kernel.host.janitor import JANITOR
from sandbox_kernel.host.kernel_log import KernelLog
from sandbox_kernel.host.secrets import NO_SECRETS, Masks, Secrets
from sandbox_kernel.host.tunnel import GuestVersionError, Sockets, Tunnel
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import RemoteProtocolError, Signal, Start

log = logging.getLogger(__name__)

LINGER = 1000
"""Milliseconds that a client has to take the last messages before its socket is closed."""

SIGINT, SIGKILL, SIGTERM = 2, 9, 15

NO_DEADLINES = Policy(cell_timeout=None, session_timeout=None, idle_timeout=None)
"""For a sandbox that is kept warm: its owner's clocks start with its owner."""

_NEVER = Death("lost", "It never started.", StartError.exit_code, -SIGKILL)

__all__ = ["Death", "Front", "Sandbox"]


class Sandbox:
    """One launch of one kernel."""

    def __init__(
        self,
        policy: Policy,
        launch: Launch,
        engine: Engine,
        front: Front | None,
        *,
        log: Callable[[str], None] = lambda _: None,
        secrets: Secrets = NO_SECRETS,
        audit: Audit | None = None,
    ) -> None:
        """Take what a launch needs.

        :param front: where its clients connect; None: it is kept warm for whoever will `adopt` it.
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
        """What the guard did to cells without ending the kernel: deadlines that interrupted, output cut, …"""
        self._secrets = secrets
        self._masks = Masks(secrets.values())
        self._log = KernelLog(log, self._masks)
        self._take(audit or Audit())
        self._used = Usage()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
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
        return name_of_wall(self.engine.name, self.policy)

    @property
    def provenance(self) -> dict[str, object]:
        """Where results of this kernel come from, for documents; empty before the wall stands."""
        return self._audit.provenance(self.used)

    @property
    def used(self) -> Usage:
        """What it has used, as all who count know it: so far, or in all once it has ended."""
        tunnel = self._tunnel
        return self.usage() | tunnel.counted if tunnel and not self.ended.done() else self._used

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

    def adopt(
        self,
        front: Front,
        *,
        directory: Path | None = None,
        log: Callable[[str], None] = lambda _: None,
        audit: Audit | None = None,
    ) -> "Future[None]":
        """Give a warm sandbox to its owner; the future resolves when clients can connect.

        :param directory: the owner's, for `ps` and the audit log: it may be another where none is shared.

        It fails with a SandboxError if the sandbox has ended, or cannot serve there: then it ends.
        """
        adopted: Future[None] = Future()

        def give_up(ended: "Future[Death]") -> None:
            if not adopted.done():
                adopted.set_exception(StartError(ended.result().sentence))

        self.ended.add_done_callback(give_up)
        launch = replace(self.launch, directory=directory or self.launch.directory)
        self._commands.put(lambda: self._adopt(front, launch, log, audit or Audit(), adopted))
        return adopted

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
            self._commands.put(lambda: self._tunnel.dismiss() if self._tunnel else None)

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

    def _take(self, audit: Audit) -> None:
        self._audit = audit
        audit.hide = self._masks.text
        audit.on_loss = lambda sentence: self.notices.append(Intent("audit", sentence))
        audit.on_failure = lambda sentence: self.kill(Intent("stopped", sentence))

    def _intend(self, intent: Intent) -> None:
        self._intent = self._intent or intent

    # From here on: in the sandbox's own thread.

    def _run(self) -> None:
        failure: SandboxError | None = None
        death = _NEVER
        try:
            registry.sweep_once(self.engine.name, self.engine.sweep)
            JANITOR.note(self.launch.name)
            death = self._serve()
        except SandboxError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the thread's rim: whoever waits is told, with the cause
            failure = StartError(f"sandbox-kernel itself failed: {error!r}. Please report this.")
            failure.__cause__ = error
        finally:
            try:
                self._clear(self._context)
            finally:  # whoever waits is told, whatever else fails
                self._publish_end(death, failure)

    def _serve(self) -> Death:
        sockets = self._bind(self.front)
        started = time.monotonic()
        process = self._start_process()
        tunnel = self._open_tunnel(process, sockets)
        tunnel.tell(self._order(process))
        if self.front:
            self._enter(self.front, process, tunnel)
        self._attend(tunnel, start_by=started + self.policy.start_timeout)
        self._log.last_words()  # what was held back of them is told as well
        usage = end(process, tunnel)
        self._used = usage | own_usage(tunnel.kernel_exit)
        if self._bell and registry.stop_requested(self._bell.directory):
            self._intent = STOPPED
        death = autopsy(self.policy, process, tunnel, intent=self._intent, usage=usage)
        if not tunnel.ready:
            raise StartError(self._why_not(death, tunnel), kind=death.kind)
        if self.front and not death.expected:
            self._tell_clients(tunnel, tunnel.guard, death)
        return death

    def _bind(self, front: Front | None) -> Sockets:
        """Return the sockets for an owner's clients; while it is kept warm there are none."""
        self._context = self._context or zmq.Context()
        return front.bind(self._context) if front else {}

    def _order(self, process: SandboxProcess) -> Start:
        """Return what the guest is told to start."""
        return self._secrets.into(process.start_message)

    def _adopt(
        self,
        front: Front,
        launch: Launch,
        log: Callable[[str], None],
        audit: Audit,
        adopted: "Future[None]",
    ) -> None:
        """Do in this thread what `_serve` does for a sandbox that has an owner from its start."""
        process, tunnel = self._process, self._tunnel
        if not (process and tunnel and tunnel.ready):
            return
        if tunnel.kernel_exit or process.poll() is not None:  # its end is on its way
            return
        self.launch = launch
        self._take(audit)
        try:
            sockets = self._bind(front)
            self._log.hand_over(log)
            audit.begin(self.policy, self.launch, self.engine.name, process.image_id)
            tunnel.hand_over(sockets, self._new_guard(front.key), Deadlines(self.policy))
            self.front = front  # not sooner: clients are told of an end where there are sockets
            self._enter(front, process, tunnel)
        except (SandboxError, zmq.ZMQError, OSError) as error:
            self.kill(Intent("stopped", f"A warm sandbox could not be taken over: {error}"))
        else:
            adopted.set_result(None)

    def _new_guard(self, key: bytes) -> Guard:
        # What takes long to import is imported while bubblewrap or a daemon works, and before any code runs
        # inside: where its folder is one that this process imports from, it could leave a module there.
        from sandbox_kernel.host.content import content_filters  # noqa: PLC0415

        guard = self._guard = Guard(
            self.policy,
            outer=key,
            filters=content_filters(self.policy),
            observer=self._audit.observer,
            masks=self._masks,
        )
        guard.on_limit = lambda sentence: self.notices.append(Intent("limit", sentence))
        guard.on_loss = lambda sentence: self.notices.append(Intent("output", sentence))
        return guard

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
            if self.front:
                self._audit.attempted(self.policy, self.launch, self.engine.name)
            raise
        with self._lock:
            self._process = process
        if self._intent:
            process.kill()
        if self.front:
            self._audit.begin(self.policy, self.launch, self.engine.name, process.image_id)
        return process

    def _open_tunnel(self, process: SandboxProcess, sockets: Sockets) -> Tunnel:
        tunnel = Tunnel(
            process,
            sockets,
            self._new_guard(self.front.key if self.front else token_bytes()),
            Deadlines(self.policy if self.front else NO_DEADLINES),
            self._commands,
            max_message=max(self.policy.message, MAX_REPLY),
            log=self._log.note,
        )
        tunnel.on_ready = lambda: self._started.set_result(None)
        tunnel.on_due = self._on_due
        self._tunnel = tunnel
        return tunnel

    def _enter(self, front: Front, process: SandboxProcess, tunnel: Tunnel) -> None:
        if front.directory:
            self._bell = registry.Bell(front.directory)
            tunnel.listen(self._bell.fileno(), partial(self.kill, STOPPED))
            registry.enter(
                front.directory,
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
        except (GuestVersionError, ViolationError) as error:
            self._intend(Intent("protocol", str(error)))
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

    def _why_not(self, death: Death, tunnel: Tunnel) -> str:
        explained = death.sentence if tunnel.ended or death.kind == "protocol" else None
        words = tunnel.complaints.decode(errors="replace").strip(), self._log.last_words().strip()
        return why_not_started(self.policy, self.engine.name, self.launch.argv[0], explained, *words)

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
                steps.callback(registry.leave, self._bell.directory)
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
            self._started.set_exception(failure or StartError(death.sentence, kind=death.kind))
