"""What people write themselves instead: `docker run` with a kernel's ports published. No wall of ours."""

import json
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

from sandbox_kernel.bench.kernel import PATIENCE, RECONNECT_MILLISECONDS, Kernel
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

IMAGE: Final = "sandbox-kernel/python"
"""The image that our own kernels have: what differs is the way, not what runs."""

_PORTS: Final = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def new_kernel(subject: Subject) -> Kernel:
    """Return a kernel of this kind, not started yet.

    :raises UnmeasuredError: this machine cannot have it.
    """
    return Kernel(subject) if subject.provisioner else ContainerKernel(subject)


class ContainerKernel(Kernel):
    """A kernel in a container that was started by hand."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._name = f"sandbox-kernel-bench-{secrets.token_hex(4)}"
        self._stack = ExitStack()
        if shutil.which("docker") is None:
            raise UnmeasuredError("there is no `docker` program")
        if _docker("network", "inspect", "bridge").returncode:
            raise UnmeasuredError("the Docker daemon has no bridge network, so no port can be published")
        if _docker("image", "inspect", IMAGE).returncode:
            raise UnmeasuredError(f"the image {IMAGE} is missing; `sandbox-kernel image build` makes it")

    def start(self) -> None:
        """Run the container, and return when the kernel in it has answered a first request."""
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-docker-")))
        connection = _connection()
        file = directory / "connection.json"
        file.write_text(json.dumps({**connection, "ip": "0.0.0.0"}), encoding="utf-8")  # noqa: S104 - inside
        directory.chmod(0o755)
        file.chmod(0o644)
        ports = [f"--publish=127.0.0.1:{connection[name]}:{connection[name]}" for name in _PORTS]
        self._stack.callback(_docker, "rm", "--force", self._name)
        done = _docker(
            *("run", "--detach", "--rm", "--name", self._name, "--env=HOME=/tmp", "--entrypoint=python3"),
            *(f"--volume={file}:/connection.json:ro", *ports, IMAGE),
            *("-m", "ipykernel_launcher", "-f", "/connection.json"),
        )
        if done.returncode:
            raise UnmeasuredError(f"`docker run` failed: {done.stderr.strip().splitlines()[-1]}")
        self._client = client = BlockingKernelClient()
        client.load_connection_info(
            cast("KernelConnectionInfo", {**connection, "key": connection["key"].encode()})
        )
        client.context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS)
        client.allow_stdin = False
        client.start_channels(hb=False)
        self.answer(client.execute("pass", silent=True))

    def close(self) -> None:
        """Remove the container. Idempotent."""
        super().close()
        self._stack.close()


def _docker(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def _connection() -> dict[str, Any]:
    """Return a kernel's addresses on ports that are free now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _PORTS]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = {name: each.getsockname()[1] for name, each in zip(_PORTS, sockets, strict=True)}
    return {
        **ports,
        "transport": "tcp",
        "ip": "127.0.0.1",
        "key": secrets.token_hex(32),
        "signature_scheme": "hmac-sha256",
    }
