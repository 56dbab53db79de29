"""CellClient, which runs one piece of code after the other instead of a notebook's cells.

What it is about messages, deaths and silence is taken as it is; what becomes of outputs is not a
notebook's business here, and nothing of one call stays for the next.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from nbformat import NotebookNode

from sandbox_kernel.errors import StartError
from sandbox_kernel.notebooks.client import CellClient
from sandbox_kernel.notebooks.messages import MALFORMED
from sandbox_kernel.session.kernel import SandboxedManager
from sandbox_kernel.session.recorder import Recorder

WELCOME_SECONDS: Final = 30.0
"""How long the greeting of a kernel that has answered already may take: it crosses two unix sockets."""


class CodeClient(CellClient):
    """One kernel, and the code that is run on it: `begin`, `run_code` …, `end`."""

    def __init__(self, manager: SandboxedManager) -> None:
        notebook = _node(cells=[], metadata=_node())
        super().__init__(notebook, heard=lambda *_: None, allow_errors=True, record_timing=False)
        self.km = self._manager = manager
        self.on_cell_executed = self._replied
        self._recorder = Recorder()

    async def begin(self, directory: Path | None) -> None:
        """Start the kernel; return once everything that it says from now on is heard.

        :raises SandboxError: it did not come up; nothing of it is left.
        """
        try:
            await self._manager.launch(directory)
            self.kc = client = self._manager.client()
            client.allow_stdin = False
            client.start_channels(stdin=False, hb=False, control=False)
            async with asyncio.timeout(WELCOME_SECONDS):
                while (await self._channels.iopub_channel.get_msg())["msg_type"] != "iopub_welcome":
                    pass
        except TimeoutError:
            await self.end()
            raise StartError("The kernel has started, and then did not greet its client.") from None
        except BaseException:
            await self.end()
            raise

    async def run_code(self, code: str, recorder: Recorder) -> None:
        """Run the code, and return once all that it says is in the recorder.

        :raises DeadKernelError: the kernel died.
        """
        self._recorder = recorder
        cell = _node(cell_type="code", source=code, metadata=_node(), outputs=[], execution_count=None)
        self.nb.cells = [cell]
        await self.async_execute_cell(cell, 0)

    def ask_for_a_sign(self) -> None:
        """Send one more request, with nothing to do: once it is answered, a guard ends what was lost."""
        self._channels.execute("", silent=True, store_history=False, allow_stdin=False, stop_on_error=False)

    async def kill(self) -> None:
        """End everything inside at once; `end` cleans up."""
        if self._manager.provisioner is not None:
            await self._manager.provisioner.kill()

    async def end(self) -> None:
        """Kill the kernel and let go of everything. Idempotent."""
        if self.kc is not None:
            for channel in (self._channels.shell_channel, self._channels.iopub_channel):
                channel.stop()  # stop_channels would open the others first
            self.kc = None
        await self._manager.end()

    def _replied(self, execute_reply: dict[str, Any], **_: Any) -> None:
        """Take from the reply what is not among the outputs: `exit()`, or an error cut off with them."""
        content = execute_reply["content"]
        with suppress(*MALFORMED):
            if content["status"] == "error" and self._recorder.error is None:
                self._recorder.fail(content)
            self._recorder.exits = any(one["source"] == "ask_exit" for one in content.get("payload") or ())

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG002
        """Take one message in: into the recorder."""
        self._recorder.take(msg)


def _node(**fields: object) -> NotebookNode:
    return NotebookNode(**fields)  # type: ignore[no-untyped-call]
