"""Kernels that come from the pool are like any other, for all that a user sees."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client import AsyncKernelManager, KernelManager
from sandbox_provisioner import SandboxProvisioner
from traitlets.config import Config

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.host import pool
from sandbox_kernel.host.engines.memory import MemoryEngine
from tests.provisioner.conftest import serve
from tests.provisioner.kernels import PATIENCE, printed, running, until, until_async

KEPT = Config({"SandboxProvisioner": {"warm": 1}})


@pytest.fixture
def kept(jupyter, monkeypatch, no_leftovers):
    """A pool of this test's own."""
    own = pool.Pool()
    monkeypatch.setattr(pool, "UNUSED", PATIENCE)  # a busy machine is no reason to let go
    monkeypatch.setattr("sandbox_provisioner.provisioner.POOL", own)
    yield own
    own.drain()


def in_the_pool(kept):
    until(lambda: len(kept._warm) == 1)
    return next(iter(kept._warm.values())).sandbox


def test_the_third_kernel_is_there_already(kept, jupyter):
    """Two that were started alike are followed by one that was not waited for, with nothing in it."""
    for _ in range(2):
        with running(config=KEPT) as (_, client):
            printed(client, "mine = 1")
    warm = in_the_pool(kept)
    with running(config=KEPT) as (manager, client):
        assert manager.provisioner._sandbox is warm
        assert printed(client, "print('mine' in globals())") == "False"
        assert in_the_pool(kept) is not warm  # the next one


def test_a_restart_takes_one(kept, jupyter):
    """Clients stay connected, and all that was defined is gone."""
    with running(config=KEPT) as (manager, client):
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=30)
        warm = in_the_pool(kept)
        printed(client, "mine = 1")
        manager.restart_kernel(now=True)
        assert manager.provisioner._sandbox is warm
        client.wait_for_ready(timeout=30)
        assert printed(client, "print('mine' in globals())") == "False"


def test_secrets_are_for_one_kernel(kept, jupyter, monkeypatch):
    """A kernel with a secret neither comes from the pool nor has one kept for the next."""
    monkeypatch.setenv("TOKEN", "s3cr3t-of-this-test")
    jupyter.spec("secretive", config={"secrets": ["TOKEN"]})
    for _ in range(3):
        with running("secretive", config=KEPT):
            assert not kept._launches
    assert not kept._starting


def test_none_is_kept_where_that_is_said(kept, jupyter):
    """c.SandboxProvisioner.warm = 0."""
    never = Config({"SandboxProvisioner": {"warm": 0}})
    for _ in range(3):
        with running(config=never):
            assert not kept._launches


def test_kernelspecs_have_no_say(kept, jupyter):
    """Whoever writes a kernelspec cannot have a server keep kernels."""
    manager = KernelManager(kernel_name=jupyter.spec("greedy", config={"warm": 16}))
    with pytest.raises(PolicyError, match="warm"):
        manager.start_kernel()


def test_only_an_administrator_says_whether_kernels_are_forked(kept, jupyter):
    """c.SandboxProvisioner.template; a kernelspec that says it is refused."""
    for fork in (True, False):
        with running(config=Config({"SandboxProvisioner": {"template": fork}})) as (manager, _):
            assert manager.provisioner._sandbox.launch.fork is fork
    manager = KernelManager(kernel_name=jupyter.spec("splitting", config={"template": True}))
    with pytest.raises(PolicyError, match="template"):
        manager.start_kernel()


def test_one_that_has_died_meanwhile_is_no_reason_to_fail(kept, jupyter):
    """The launch is an ordinary one then."""
    for _ in range(2):
        with running(config=KEPT):
            pass
    warm = in_the_pool(kept)
    os.kill(warm.pid, 9)
    warm.ended.result(PATIENCE)
    with running(config=KEPT) as (manager, client):
        assert manager.provisioner._sandbox is not warm
        assert printed(client, "print(6 * 7)") == "42"


async def test_a_launch_cancelled_while_its_kind_is_found_out_leaves_nothing(
    kept, jupyter, monkeypatch, no_leftovers
):
    """A daemon is asked what is inside, and takes its time."""
    asked, answered = threading.Event(), threading.Event()

    class Slow(MemoryEngine):
        def software(self, policy):
            asked.set()
            answered.wait(PATIENCE)
            return ""

    class Patient(SandboxProvisioner):
        def select_engine(self, policy, launch):
            return Slow()

    serve(monkeypatch, Patient)
    start = asyncio.create_task(AsyncKernelManager(kernel_name="boxed", config=KEPT).start_kernel())
    await until_async(asked.is_set)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    answered.set()
    assert not no_leftovers.settle()


HOST = """
import sys
from jupyter_client import AsyncKernelManager, KernelManager
from sandbox_provisioner import SandboxProvisioner
from traitlets.config import Config
from sandbox_kernel.host import pool
from sandbox_kernel.host.pool import POOL
pool.UNUSED = 60
for _ in range(2):
    config = Config({"SandboxProvisioner": {"warm": 1}})
    manager = KernelManager(kernel_name="sandboxed-python", config=config)
    manager.start_kernel()
    manager.shutdown_kernel(now=True)
while not POOL._warm:
    pass
print("warm", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [False, True], ids=["exit", "kill -9"])
def test_it_goes_with_its_process(directory, no_leftovers, killed):
    """However a server ends, what it kept ready ends too."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", HOST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=directory,
    ) as host:
        assert host.stdout.readline() == "warm\n"
        if killed:
            host.kill()
    assert host.returncode == (-9 if killed else 0)
    assert no_leftovers.settle() == set()
