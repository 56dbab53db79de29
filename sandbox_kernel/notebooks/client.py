"""nbclient's NotebookClient with its traps closed.

What nbclient does well is kept: cells, outputs, display ids, widgets and their state. What
bites a runner that must always say how it ended is replaced:

- Cancelling it surfaces as `DeadKernelError`. Here a cancelled task sees `CancelledError`.
- `async_execute` installs handlers for SIGINT and SIGTERM, removes those of its host, and leaves
  an atexit hook. Here `start` and `close` are explicit and touch neither.
- After a reply it waits four seconds for output, then drops the rest and goes on. Here it waits
  as long as output keeps coming.
- A kernel's death is noticed within a second and whatever it said last is thrown away. Here it is
  noticed at once, and its last words get time to arrive.
- A reply that comes while it sends is noticed only with the next one: a run with Output widgets hangs
  now and then. Here replies are looked for again and again.
- A malformed message breaks the run with a KeyError. Here it is skipped: the sender is hostile.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty
from time import monotonic
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbclient.util import ensure_async
from nbformat import NotebookNode

from sandbox_kernel.errors import TransferError
from sandbox_kernel.notebooks.messages import is_idle, moment, next_answer, skipping_malformed
from sandbox_kernel.notebooks.sandboxed import SandboxedKernelManager
from sandbox_kernel.notebooks.specs import SpecsWithPolicy
from sandbox_kernel.notebooks.witness import Death, Usage, Witness
from sandbox_kernel.policy import Policy

POLL_SECONDS = 0.1
"""How often the kernel's life is looked at; a provisioner answers from memory."""
LOOK_AGAIN_SECONDS = 0.5
"""How long a reply is waited for in one go. jupyter_client sends behind the back of the asynchronous
socket, which may swallow the news that a reply has come: an Output widget does so in every use."""
LAST_WORDS_SECONDS = 2.0
"""How long a dead kernel's messages may take to arrive. A guard ends the request before it lets the
death be seen, so with a sandbox this is never waited out."""
SILENCE_SECONDS = 5
"""How long after its reply a cell may be silent without saying that it is idle."""
ANSWER_SECONDS = 10.0
"""How long a request of ours between two cells may take: reading a piece of a file takes milliseconds."""
EXPLAIN_SECONDS = 0.5
"""How long after a failed cell a cause of death is waited for, see `CellClient.death`."""
MAX_PLACES = 100
"""Outputs of one display id that an update stands in the place of, the newest ones: progress is shown in one
or two. Each message of ten thousand would change as many outputs, and keep all other runs waiting."""


class CellClient(NotebookClient):
    """Runs the cells of one notebook on one kernel: `start`, `async_execute_cell` …, `close`."""

    def __init__(
        self,
        nb: NotebookNode,
        *,
        heard: Callable[[int, NotebookNode], None],
        sandboxed: bool = False,
        settings: Mapping[str, Any] | None = None,
        **traits: Any,
    ) -> None:
        """Take the notebook.

        :param heard: told of each output.
        :param sandboxed: whether the kernel is to be behind a wall, whatever its kernelspec says.
        :param settings: the policy of this kernel alone, as `specs.settings_of` has it; None: it has none.
        """
        manager = SandboxedKernelManager if sandboxed else AsyncKernelManager
        super().__init__(nb, kernel_manager_class=manager, **traits)
        self.warnings: list[str] = []
        """What the user should know of the sandbox that has ended, once it is closed."""
        self.usage = Usage()
        """What the sandbox has used, as its provisioner says it, once it is closed."""
        self._settings = settings
        self._heard = heard
        self._heard_at = monotonic()
        self._watchers: set[asyncio.Task[Any]] = set()

    def create_kernel_manager(self) -> KernelManager:
        """Return the manager of a kernel that is not started yet, with the policy that is its own, if any."""
        manager = super().create_kernel_manager()
        if self._settings is not None:
            manager.kernel_spec_manager = SpecsWithPolicy(settings=self._settings, parent=manager)
        return manager

    async def start(self, directory: str, seconds: float) -> None:
        """Start the kernel in `directory` and return when it has answered.

        :raises RuntimeError: it did not within `seconds`, or died. Call `close` all the same.
        """
        self.reset_execution_trackers()
        manager = self.create_kernel_manager()
        await self.async_start_new_kernel(cwd=directory)
        client = manager.client()
        self.kc = client
        # No heart is listened to, as the provisioner knows of a death at once; and nobody is asked anything.
        client.start_channels(stdin=False, hb=False, control=False)
        client.allow_stdin = False
        language = (await self._first_answer(seconds))["content"].get("language_info")
        if isinstance(language, dict) and isinstance(language.get("name"), str):
            self.nb.metadata["language_info"] = language

    async def _first_answer(self, seconds: float) -> dict[str, Any]:
        """Return the kernel's description once all that it publishes is heard.

        As the client's own `wait_for_ready`, which ends by listening for 0.2 s to nothing: here the
        end of the request is heard on both channels.
        """
        deadline, asked = monotonic() + seconds, set[str]()
        while True:
            asked.add(self._channels.kernel_info())
            with suppress(Empty):
                reply = await next_answer(self._channels.shell_channel, asked, "kernel_info_reply")
                await next_answer(self._channels.iopub_channel, asked, "status", execution_state="idle")
                return reply
            if not await self._is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {seconds:g} seconds")

    async def close(self, *, now: bool) -> None:
        """Shut the kernel down and let go of everything; `now`: without asking it first.

        A kernel that can change nothing outside is not asked: what it would still do is seen by nobody.
        """
        self.shutdown_kernel = "immediate" if now or self._ends_unseen() else "graceful"
        if self.km is not None:
            witness = self.witness
            await self._async_cleanup_kernel()
            self.usage, self.warnings = witness.usage, witness.warnings

    def _ends_unseen(self) -> bool:
        """Tell whether an orderly end makes no difference: to nothing outside, and not to what is counted.

        What a container has used is counted inside, and said at its end.
        """
        is_counted, policy = self.witness.usage.cpu_seconds is not None, self.witness.policy
        return is_counted and isinstance(policy, Policy) and not policy.has_effects()

    async def interrupt(self) -> None:
        """Interrupt what the kernel runs, if there is a kernel."""
        if self.km is not None and await self._is_alive():
            await ensure_async(self.km.interrupt_kernel())

    async def ask(self, content: dict[str, Any], buffers: Sequence[bytes]) -> dict[str, Any]:
        """Send an execute request of ours between two cells, and return the content of its reply.

        :raises TransferError: the kernel has died, or does not answer within ANSWER_SECONDS.
        """
        message: dict[str, Any] = self._channels.session.msg("execute_request", content)
        message["buffers"] = list(buffers)
        self._channels.shell_channel.send(message)
        asked = {message["header"]["msg_id"]}
        deadline = monotonic() + ANSWER_SECONDS
        while monotonic() < deadline:
            with suppress(Empty):
                reply = await next_answer(self._channels.shell_channel, asked, "execute_reply")
                with suppress(Empty):  # a kernel may answer and not say that it is idle
                    await next_answer(self._channels.iopub_channel, asked, "status", execution_state="idle")
                return dict(reply["content"])
            if not await self._is_alive():
                raise TransferError("The kernel is gone.")
        raise TransferError(f"The kernel did not answer within {ANSWER_SECONDS:g} s.")

    @property
    def witness(self) -> Witness:
        """What the kernel's provisioner says of it; without a kernel it says nothing."""
        return Witness(getattr(self.km, "provisioner", None))

    async def death(self, seconds: float = 0.0) -> Death | None:
        """Return why the kernel died; wait for it to be known for at most `seconds`.

        A sandbox's guard ends the running cell with an error and the provisioner reports the death
        just after; so a cell that failed may be the first sign of a death. None while the kernel
        lives.
        """
        deadline = monotonic() + seconds
        while True:  # a provisioner has no event to wait for
            death = await self._known_death()
            if death is not None or monotonic() >= deadline:
                return death
            await asyncio.sleep(POLL_SECONDS / 4)

    async def _known_death(self) -> Death | None:
        if (death := self.witness.death) is not None:
            return death
        if self.km is None or await self._is_alive():
            return None
        return Death("The kernel died.", "crash")

    @property
    def _channels(self) -> AsyncKernelClient:
        if not isinstance(self.kc, AsyncKernelClient):
            raise TypeError("start has not been called")  # our own bug
        return self.kc

    async def _is_alive(self) -> bool:
        return self.km is not None and bool(await ensure_async(self.km.is_alive()))

    async def async_execute_cell(
        self,
        cell: NotebookNode,
        cell_index: int,
        execution_count: int | None = None,
        store_history: bool = True,
    ) -> NotebookNode:
        """Execute one cell.

        :raises CellExecutionError: it raised, and errors are not allowed.
        :raises DeadKernelError: the kernel died.
        :raises asyncio.CancelledError: the calling task was cancelled, and never anything else then.
        """
        try:
            return await super().async_execute_cell(cell, cell_index, execution_count, store_history)
        except DeadKernelError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise
        finally:
            for watcher in self._watchers:
                watcher.cancel()

    async def _async_poll_for_reply(
        self,
        msg_id: str,
        cell: NotebookNode,
        timeout: int | None,  # noqa: ARG002, ASYNC109 -- nbclient's signature; deadlines are the runner's
        task_poll_output_msg: asyncio.Future[Any],
        task_poll_kernel_alive: asyncio.Future[Any],
    ) -> dict[str, Any]:
        reply = await self._reply_to(msg_id)
        if self.record_timing:
            cell["metadata"]["execution"]["shell.execute_reply"] = moment(reply["header"]["date"])
        await self._rest_of(task_poll_output_msg)
        task_poll_kernel_alive.cancel()
        return reply

    async def _reply_to(self, msg_id: str) -> dict[str, Any]:
        channel = self._channels.shell_channel
        while True:
            with skipping_malformed():
                message: dict[str, Any] = await channel.get_msg(timeout=LOOK_AGAIN_SECONDS)
                if message["parent_header"].get("msg_id") == msg_id and "status" in message["content"]:
                    return message

    async def _rest_of(self, output: asyncio.Future[Any]) -> None:
        """Wait until the cell is idle, or has said nothing for a while."""
        while not output.done():
            silent = monotonic() - self._heard_at
            if silent >= SILENCE_SECONDS:
                output.cancel()
                return
            await asyncio.wait({output}, timeout=SILENCE_SECONDS - silent)
        output.result()

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        channel = self._channels.iopub_channel
        with self._watching():
            self._heard_at = monotonic()
            while True:
                with skipping_malformed():
                    message = await channel.get_msg(timeout=None)
                    self._heard_at = monotonic()
                    if message["parent_header"].get("msg_id") == parent_msg_id:
                        if is_idle(message):
                            self._note_idle(message, cell)
                            return
                        self.process_message(message, cell, cell_index)

    def _note_idle(self, message: dict[str, Any], cell: NotebookNode) -> None:
        if self.record_timing:
            cell["metadata"]["execution"]["iopub.status.idle"] = moment(message["header"]["date"])

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take one message in and tell the listener of the output that it became, if it did."""
        output = super().process_message(msg, cell, cell_index)
        if output is not None:
            self._heard(cell_index, output)
        return output

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        places = self._display_id_map.get(display_id, {})
        over = sum(map(len, places.values())) - MAX_PLACES
        for indices in places.values():  # by cell, the oldest first
            if over > 0:
                over -= len(indices)
                del indices[: over + len(indices)]
        super()._update_display_id(display_id, msg)

    async def _async_poll_kernel_alive(self) -> None:
        with self._watching():
            while await self._is_alive():  # noqa: ASYNC110 -- a provisioner has no event to wait for
                await asyncio.sleep(POLL_SECONDS)
            if (reply := self.task_poll_for_reply) is not None:
                await asyncio.wait({reply}, timeout=LAST_WORDS_SECONDS)
                reply.cancel()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Remember the current task, so that the end of its cell ends it too."""
        task = asyncio.current_task()
        if task is not None:
            self._watchers.add(task)
        try:
            yield
        finally:
            self._watchers.discard(task)
