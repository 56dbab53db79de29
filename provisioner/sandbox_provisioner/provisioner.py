"""The jupyter_client plug: each method of the contract is one verb of `Sandbox`.

What the contract does not say, and this file rests on:

- One provisioner serves one kernel id over all its restarts. Its front (addresses and key)
  is made by the first launch and goes with ``cleanup(restart=False)``, never sooner: kill and
  terminate are not told that a restart follows, and clients keep their addresses over it.
- Nobody cleans up after a launch that failed or was cancelled; the launch does it itself.
- cleanup comes twice, or as the only call, or while a launch is still on its way.
- Signals are sent to dead kernels; `poll` is asked all the time, and must not yield.
- Under the synchronous KernelManager the event loop stands still between two calls. So
  everything lives in the sandbox's own thread, and here is nothing but waiting for it.
"""

import asyncio
import contextlib
import logging
import os
import signal
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.kernelspec import KernelSpec
from msgspec.structs import replace
from traitlets.config import Config

from sandbox_kernel.errors import SandboxError, StartError
from sandbox_kernel.host.audit import AUDIT_NAMES, Audit, AuditSettings
from sandbox_kernel.host.audit import Kernel as AuditedKernel
from sandbox_kernel.host.audit.records import capped
from sandbox_kernel.host.deaths import Intent
from sandbox_kernel.host.engines import select_engine
from sandbox_kernel.host.engines.base import Engine, Launch, Usage
from sandbox_kernel.host.pool import POOL, Kind, kind_of
from sandbox_kernel.host.program import ProgramSandbox
from sandbox_kernel.host.sandbox import Death, Front, Sandbox
from sandbox_kernel.host.secrets import Secrets, read_secrets
from sandbox_kernel.policy import FIELD_NAMES, MAXIMA_NAMES, Layer, Maxima, Policy, layer_from_environment
from sandbox_provisioner.announce import event_sink
from sandbox_provisioner.command import kernel_command
from sandbox_provisioner.configuration import JUPYTERLAB, SOURCE, machine_configuration, refuse_unused, under
from sandbox_provisioner.connection import printable, read_connection, refuse_encryption, written_connection
from sandbox_provisioner.grants import (
    granted_environment,
    refuse_ungranted_variables,
    resolve_inside,
    workspace,
)
from sandbox_provisioner.settings import PolicySettings, kernelspec_layer
from sandbox_provisioner.waiting import in_thread, result_of

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from jupyter_client.connect import KernelConnectionInfo


class SandboxProvisioner(PolicySettings):
    """Starts kernels behind a wall.

    The policy comes from, strongest first: the kernelspec's `config`; SANDBOX_KERNEL_*
    variables, where the kernelspec has no `config`; these traits; the profile. The `max_*` and
    `allowed_*` traits bind all of them.
    """

    def __init__(self, **kwargs: Any) -> None:
        own = {name: value for name, value in kwargs.items() if self._is_trait(name, value)}
        self._spec_settings = {name: value for name, value in kwargs.items() if name not in own}
        given = own.get("config") or getattr(own.get("parent"), "config", None) or Config()
        super().__init__(**{**own, "config": under(given)})
        self.connection_info = {}  # the base class's own is one object for all provisioners
        self._policy = Policy()
        self._audit = AuditSettings()
        self._provenance: dict[str, object] = {}
        self._usage = Usage()
        self._directory: Path | None = None
        self._front: Front | None = None
        self._sandbox: Sandbox | None = None
        self._death: Death | None = None
        self._notices: tuple[Intent, ...] = ()
        self._process = os.getpid()

    @classmethod
    def _is_trait(cls, name: str, value: object) -> bool:
        """Tell what the framework or a subclass takes from what a kernelspec's author wrote."""
        if name in FIELD_NAMES or name in MAXIMA_NAMES or name in {*AUDIT_NAMES, "warm", "template"}:
            return False
        wanted = {"config": Config, "log": logging.Logger | logging.LoggerAdapter}.get(name, object)
        return name in cls.class_traits() and isinstance(value, wanted)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kernel_id} {self._sandbox or 'not launched'}>"

    def select_engine(self, policy: Policy, launch: Launch) -> Engine:
        """Return the engine to use; for subclasses to override. Called in a thread: it may ask a daemon.

        :raises EngineUnavailableError: this machine has none that the policy allows.
        """
        return select_engine(policy, launch)

    # Launching

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Decide what will run, and with which policy; nothing is started yet.

        :raises PolicyError: a setting is not known, not usable, or above its maximum.
        :raises StartError: the kernelspec's command cannot be run.
        """
        refuse_encryption(self.parent)
        self._policy = self.read_policy()
        self._audit = AuditSettings.from_settings(self.written(AUDIT_NAMES), source=SOURCE)
        extra_arguments = kwargs.pop("extra_arguments", None) or ()
        spec = self.kernel_spec
        command = kernel_command(spec.argv, extra_arguments, resource_dir=spec.resource_dir)
        return {**await super().pre_launch(**kwargs), "cmd": list(command)}

    @classmethod
    def usual_policy(cls, *, jupyterlab: bool) -> Policy:
        """Return what a kernel may do that brings no policy of its own, as this machine is configured.

        :param jupyterlab: started there, where more files of configuration count than elsewhere.
        :raises PolicyError: as `read_policy`.
        """
        config = machine_configuration(JUPYTERLAB) if jupyterlab else Config()
        return cls(kernel_spec=KernelSpec(), config=config).read_policy()

    def read_policy(self) -> Policy:
        """Return what the next kernel may do.

        :raises PolicyError: a setting is not known, not usable, or above its maximum.
        """
        refuse_unused(self._find_my_config(self.config), self.trait_names(config=True), SOURCE)
        maxima = Maxima.from_settings(self.written(MAXIMA_NAMES), source=SOURCE)
        refuse_ungranted_variables(self.kernel_spec.env, maxima)
        name = getattr(self.parent, "kernel_name", "") or self.kernel_spec.display_name
        stronger = kernelspec_layer(self._spec_settings, name) if self._spec_settings else None
        layers = [Layer(self.written(FIELD_NAMES), SOURCE), stronger or layer_from_environment(os.environ)]
        return Policy.from_layers(layers, maxima=maxima)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> "KernelConnectionInfo":
        """Start a sandbox and return where its kernel is reached, once it answers.

        :raises SandboxError: it did not come up; nothing of it is left.
        """
        front = await self._launched(cmd, program=False, **kwargs)
        self.connection_info = cast("KernelConnectionInfo", front.connection_info())
        return self.connection_info

    async def launch_program(self, cmd: list[str], **kwargs: Any) -> ProgramSandbox:
        """Start a sandbox that runs plain Python, that of the kernel's command, and no kernel.

        Beyond what jupyter_client asks for: nobody can connect, who has asked gives it its code. All else is
        as for a kernel: policy, maxima, audit, and that `kill`, `wait` and `cleanup` end it.

        :raises SandboxError: it did not come up; nothing of it is left.
        """
        await self._launched(cmd, program=True, **kwargs)
        return cast("ProgramSandbox", self._sandbox)

    async def _launched(self, cmd: list[str], *, program: bool, **kwargs: Any) -> Front:
        """Have a sandbox, a warm one or a new one, and return where it is known."""
        launch, engine, granted = await self._prepared(cmd, **kwargs)
        if program:  # it has nothing to import, and so is not forked
            launch = replace(launch, program=True, fork=False)
        POOL.allowed = self.warm
        kind = await self._kind(engine, launch) if not granted and POOL.is_of_use() else None
        first = self._front is None
        front = self._front = self._front or Front.create()
        try:
            sandbox = await self._adopted(kind, front) or await self._started(launch, engine, front, granted)
        except BaseException:  # a cancelled launch, too, gets no other cleaning up
            await self._end(forget_front=first)
            raise
        sandbox.ended.add_done_callback(self._log_death)
        POOL.owned(sandbox)
        if kind is not None:
            POOL.launched(engine, kind, launch)
        return front

    async def _prepared(self, cmd: list[str], **kwargs: Any) -> tuple[Launch, Engine, Secrets]:
        """Return what will run, in which wall, and with which secrets; what ran before is ended."""
        await self._end()
        self._death, self._notices = None, ()
        self._directory = workspace(kwargs.get("cwd"))
        environment = granted_environment(self._policy, self.kernel_spec.env, kwargs.get("env", {}))
        around = {**os.environ, **kwargs.get("env", {})}
        granted = await result_of(in_thread(partial(read_secrets, self._policy, around, self._directory)))
        launch = Launch(tuple(cmd), self._directory, token_hex(8), environment, fork=self.template)
        engine = await result_of(in_thread(partial(self.select_engine, self._policy, launch)))
        return launch, engine, granted

    async def _kind(self, engine: Engine, launch: Launch) -> Kind | None:
        with contextlib.suppress(SandboxError):  # starting it says it better
            return await result_of(in_thread(partial(kind_of, engine, self._policy, launch)))
        return None

    async def _adopted(self, kind: Kind | None, front: Front) -> Sandbox | None:
        """Return a warm sandbox that is ours now, if there is one that lives."""
        sandbox = POOL.take(kind) if kind is not None else None
        if sandbox is None:
            return None
        self._sandbox = sandbox
        try:
            audit = self._new_audit()
            await result_of(sandbox.adopt(front, directory=self._directory, log=self._log_line, audit=audit))
        except StartError as error:
            self.log.debug("%s", error)
            await self._end()
            return None
        return sandbox

    async def _started(self, launch: Launch, engine: Engine, front: Front, granted: Secrets) -> Sandbox:
        make = ProgramSandbox if launch.program else Sandbox
        self._sandbox = sandbox = make(
            self._policy, launch, engine, front, log=self._log_line, secrets=granted, audit=self._new_audit()
        )
        await result_of(sandbox.start())
        return sandbox

    def _new_audit(self) -> Audit:
        kernel = AuditedKernel(self.kernel_id, getattr(self.parent, "kernel_name", None))
        also = event_sink(self.parent, asyncio.get_running_loop())
        return Audit(self._audit, kernel, warn=self.log.warning, also=also)

    # While it runs, and after

    @property
    def _running(self) -> Sandbox | None:
        """The sandbox, until somebody has waited for its end. A forked child has none: it is its parent's."""
        if self._process != os.getpid():
            self._process, self._sandbox, self._front = os.getpid(), None, None
        return self._sandbox

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel that was launched and not waited for."""
        return bool((sandbox := self._running) and sandbox.ready)

    @property
    def policy(self) -> Policy:
        """What the kernel is allowed that was launched last."""
        return self._policy

    @property
    def wall(self) -> str | None:
        """What stands around the running kernel, for people; None without one."""
        return sandbox.wall if (sandbox := self._running) else None

    @property
    def death(self) -> Death | None:
        """Why the last kernel ended, as seen from outside the wall; None while one lives.

        Clients read it to tell a limit from a crash: what comes out of the kernel proves nothing.
        """
        sandbox = self._running
        return (sandbox.death or sandbox.cause) if sandbox else self._death

    @property
    def notices(self) -> tuple[Intent, ...]:
        """What the guard did to cells of the last kernel without ending it: deadlines that interrupted one.

        Clients read it to tell a deadline from an interrupt, as they read `death`.
        """
        return tuple(sandbox.notices) if (sandbox := self._running) else self._notices

    @property
    def provenance(self) -> dict[str, object]:
        """Where results of the last kernel come from, as JSON has it; clients put it into documents."""
        return sandbox.provenance if (sandbox := self._running) else self._provenance

    @property
    def usage(self) -> Usage:
        """What the last kernel's sandbox has used; zeros where nobody counts. Clients put it into results."""
        return sandbox.used if (sandbox := self._running) else self._usage

    async def poll(self) -> int | None:
        """Return None while the kernel lives, else its exit status (negative: a signal). Never yields."""
        if sandbox := self._running:
            return sandbox.poll()
        return self._death.returncode if self._death else 0

    async def wait(self) -> int | None:
        """Return the kernel's exit status once it has ended and nothing of it is left."""
        if sandbox := self._running:
            await result_of(sandbox.ended)
            sandbox.close()
            self._forget(sandbox)
        return await self.poll()

    async def send_signal(self, signum: int) -> None:
        """Signal the kernel's whole process group; the dead are not bothered."""
        if sandbox := self._running:
            sandbox.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002 - is False before restarts, too
        """End everything inside at once. What belongs to the kernel id stays."""
        if sandbox := self._running:
            sandbox.kill()

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002 - is False before restarts, too
        """Ask the kernel to end. What belongs to the kernel id stays."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """End what still runs, and remove all of this launch; without a restart, the addresses too."""
        await self._end(forget_front=not restart)

    async def _end(self, *, forget_front: bool = False) -> None:
        sandbox, front = self._running, self._front
        try:
            if sandbox:
                sandbox.kill()
                await result_of(sandbox.ended)
        finally:  # a cancelled end is an end nevertheless
            if sandbox:
                sandbox.close()
                self._forget(sandbox)
            if front and forget_front:
                front.close()
                self._front = None

    def _forget(self, sandbox: Sandbox) -> None:
        if self._sandbox is sandbox:  # and not the next one, launched meanwhile
            self._provenance, self._usage = sandbox.provenance, sandbox.used
            self._death, self._notices, self._sandbox = sandbox.death, tuple(sandbox.notices), None

    # For applications

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Return what describes this kernel, as JSON has it: the key is text."""
        info = await super().get_provisioner_info()
        return {
            **info,
            "connection_info": written_connection(self.connection_info),
            "policy": self._policy.to_dict(),
        }

    async def load_provisioner_info(self, provisioner_info: dict[str, Any]) -> None:
        """Take a description back.

        The kernel itself cannot be taken over: it ended with the process that started it.
        """
        connection = read_connection(provisioner_info["connection_info"])
        await super().load_provisioner_info({**provisioner_info, "connection_info": connection})

    def resolve_path(self, path: str) -> str | None:
        """Return the path on the host of something that the kernel sees at `path`, else None."""
        return resolve_inside(path, self._policy, self._directory) if self._directory else None

    # What it says

    def _log_line(self, text: str) -> None:
        self.log.info("Kernel %s: %s", capped(printable(self.kernel_id)), printable(text.rstrip()))

    def _log_death(self, ended: "Future[Death]") -> None:
        if not (death := ended.result()).expected:
            name = capped(printable(self.kernel_id))
            self.log.warning("Kernel %s ended. %s", name, printable(death.sentence))
