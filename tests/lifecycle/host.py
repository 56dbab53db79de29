"""A host process with sandboxed kernels, to be killed at any moment: `python host.py DIRECTORY COUNT`.

SANDBOX_KERNEL_* say how they are sandboxed.
"""

import os
import secrets
import sys
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient

from sandbox_kernel.host.engines import select_engine
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.sandbox import Front, Sandbox
from sandbox_kernel.policy import policy_from_environment

ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")
BUSY = """
import subprocess, os
subprocess.Popen(["sh", "-c", "sleep 1000 & exec sleep 1000"], start_new_session=True)
open("/tmp/x", "w").write("x" * 1_000_000)
while True: print("x" * 100)
"""


def start(directory: Path) -> tuple[Sandbox, BlockingKernelClient]:
    front, policy = Front.create(), policy_from_environment(os.environ)
    launch = Launch(ARGV, directory, secrets.token_hex(8))
    sandbox = Sandbox(policy, launch, select_engine(policy), front)
    started = sandbox.start()
    print("starting", flush=True)
    started.result(timeout=60)
    client = BlockingKernelClient()
    client.load_connection_info(front.connection_info())
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return sandbox, client


def main() -> None:
    directory, count = Path(sys.argv[1]), int(sys.argv[2])
    kernels = [start(directory) for _ in range(count)]
    for _, client in kernels:
        client.execute(BUSY)
    print("busy", flush=True)
    for _ in iter(sys.stdin.readline, ""):
        pass


if __name__ == "__main__":
    main()
