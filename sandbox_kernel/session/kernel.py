"""Our kernel, by name, with a policy of its own: found without being installed, started without waits.

Whoever starts a kernel by name gets whatever a kernelspec of that name says. Here the kernelspec
is handed out by us, so that it is there, is sandboxed, and holds this sandbox's settings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import zmq.asyncio
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from sandbox_kernel.errors import StartError
from sandbox_kernel.notebooks import DEFAULT_KERNEL

PROVISIONER: Final = "sandbox-provisioner"

ARGV: Final = ("python", "-E", "-P", "-m", "sandbox_provisioner", "-f", "{connection_file}")
"""As in the kernelspec that is installed: were the provisioner ignored, this builds the wall itself."""


class OwnSpec(KernelSpecManager):
    """Hands out one kernelspec, whatever is installed."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        super().__init__()
        self._settings = dict(settings)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 -- there is but one
        """Return the sandboxed kernel with these settings."""
        stanza = {"provisioner_name": PROVISIONER, "config": dict(self._settings)}
        return KernelSpec(
            argv=list(ARGV),
            display_name="Sandboxed Python",
            language="python",
            interrupt_mode="signal",
            metadata={"kernel_provisioner": stanza},
        )


class SandboxedManager(AsyncKernelManager):
    """One launch of the sandboxed kernel: `launch`, then `end`.

    As `start_kernel` and `shutdown_kernel` do it, without what those wait for: a hundredth of a
    second for the sake of their tests, a tenth between two looks at a process that has ended.
    """

    def __init__(self, settings: Mapping[str, object], context: zmq.asyncio.Context | None = None) -> None:
        """Take what is to be launched.

        :param context: for clients; a program has none.
        """
        for_clients = {} if context is None else {"context": context}
        super().__init__(kernel_name=DEFAULT_KERNEL, kernel_spec_manager=OwnSpec(settings), **for_clients)

    async def launch(self, directory: Path | None) -> None:
        """Start it and return once it answers.

        :raises SandboxError: it did not come up, or would not be behind a wall; nothing of it is left.
        """
        command, arguments = await self._prepared(directory)
        await self._async_launch_kernel(command, **arguments)

    async def launch_program(self, directory: Path | None) -> Any:
        """Start a process of plain Python in the kernel's place; return it once it answers.

        :raises SandboxError: as `launch`.
        """
        command, arguments = await self._prepared(directory)
        return await self.provisioner.launch_program(command, **arguments)  # type: ignore[union-attr]

    async def _prepared(self, directory: Path | None) -> tuple[list[str], dict[str, Any]]:
        """Return what is to be launched, by our own provisioner."""
        where: dict[str, Any] = {} if directory is None else {"cwd": str(directory)}
        try:
            command, arguments = await self._async_pre_start_kernel(**where)
        except ModuleNotFoundError as error:
            raise StartError(
                f"The kernel cannot be started behind a wall: {error} Install sandbox-kernel anew, with pip, "
                "into the environment of this program."
            ) from error
        # Some other package may offer a provisioner of that name, and start whatever it likes.
        if not hasattr(type(self.provisioner), "wall"):
            raise StartError(
                f"The provisioner {PROVISIONER!r} is not sandbox-kernel's but {type(self.provisioner)!r}, "
                "which builds no wall; uninstall what brought it."
            )
        return command, arguments

    def _reconcile_connection_info(self, info: KernelConnectionInfo) -> None:
        """Take the addresses and the key, and write no file that others could connect with."""
        self.load_connection_info(info)

    async def end(self) -> None:
        """Kill it, and return when nothing of it is left. Idempotent."""
        if self.provisioner is None:
            return
        try:
            await self.provisioner.kill()
            await self.provisioner.wait()
        finally:  # a cancelled end is an end nevertheless
            await self.cleanup_resources()
