"""Kernels under jupyter_client's managers, and what can be asked of them."""

import asyncio
import contextlib
import time

from jupyter_client import AsyncKernelManager, KernelManager
from traitlets.config import Config

PATIENCE = 30


@contextlib.contextmanager
def running(name="boxed", *, config=None, **start):
    """A synchronous manager with a running kernel, and a client on it."""
    manager = KernelManager(kernel_name=name, config=config or Config())
    try:
        manager.start_kernel(**start)
        with connected(manager) as client:
            yield manager, client
    finally:
        manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def connected(manager):
    """A client that is ready."""
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()


@contextlib.asynccontextmanager
async def running_async(name="boxed", **start):
    """An asynchronous manager with a running kernel, and a client on it."""
    manager = AsyncKernelManager(kernel_name=name)
    try:
        await manager.start_kernel(**start)
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=PATIENCE)
            yield manager, client
        finally:
            client.stop_channels()
    finally:
        await manager.shutdown_kernel(now=True)


def printed(client, code):
    """Return what a cell printed."""
    lines = []

    def hook(message):
        if message["msg_type"] == "stream":
            lines.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            lines.append(message["content"]["evalue"])

    client.execute_interactive(code, output_hook=hook, timeout=PATIENCE)
    return "".join(lines).strip()


async def printed_async(client, code):
    """Return what a cell printed."""
    lines = []

    def hook(message):
        if message["msg_type"] == "stream":
            lines.append(message["content"]["text"])

    await client.execute_interactive(code, output_hook=hook, timeout=PATIENCE)
    return "".join(lines).strip()


def until(condition):
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


async def until_async(condition):
    """Wait for something that happens in another process or thread."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
