"""What goes in with a launch, and what is left of one that fails."""

import asyncio
import json
import os
import sys

import pytest
from jupyter_client import AsyncKernelManager, KernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerBase
from sandbox_provisioner import SandboxProvisioner

from sandbox_kernel.errors import PolicyError, StartError, WorkspaceError
from tests.provisioner.conftest import FAILURE, SLEEPER
from tests.provisioner.kernels import PATIENCE, connected, printed, running, until_async

pytestmark = pytest.mark.usefixtures("memory", "no_leftovers")


def test_construction_starts_nothing(jupyter):
    """A provisioner that was only made holds nothing, and shares no dictionary with others."""
    provisioner = SandboxProvisioner(kernel_id="1", kernel_spec=KernelSpec())
    assert not provisioner.has_process
    assert provisioner.connection_info is not KernelProvisionerBase.connection_info


# Directory


def test_the_current_directory_is_the_default(jupyter):
    """papermill says where a notebook lies by changing into its directory."""
    with running() as (_, client):
        assert printed(client, "import os; print(os.getcwd())") == str(jupyter.notebooks)


def test_a_named_directory(jupyter, tmp_path):
    """jupyter_server and nbclient name the directory, nbclient also relatively."""
    (jupyter.notebooks / "deep").mkdir()
    with running(cwd="deep") as (_, client):
        assert printed(client, "import os; print(os.getcwd())") == str(jupyter.notebooks / "deep")


def test_a_removed_directory(jupyter):
    """Without a directory, the launch says so."""
    jupyter.notebooks.rmdir()
    with pytest.raises(WorkspaceError, match="was removed"):
        KernelManager(kernel_name="boxed").start_kernel()


# Environment


def seen(client):
    return json.loads(printed(client, "import json, os; print(json.dumps(dict(os.environ)))"))


def test_the_environment_stays_out(jupyter, monkeypatch):
    """jupyter_server hands over a copy of its whole environment; nothing of it goes in by itself."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-host")
    environment = {**os.environ, "TOKEN": "s3cr3t-call", "JPY_SESSION_NAME": "/home/me/s3cr3t.ipynb"}
    with running(env=environment) as (_, client):
        assert "s3cr3t" not in json.dumps(seen(client))


def test_what_the_policy_names_goes_in(jupyter, monkeypatch):
    """A variable that the policy names is passed in; others beside it are not."""
    jupyter.spec(config={"env": ["GRANTED", "ABSENT"]})
    monkeypatch.setenv("GRANTED", "yes")
    monkeypatch.setenv("WITHHELD", "no")
    with running() as (_, client):
        environment = seen(client)
        assert environment["GRANTED"] == "yes"
        assert {"ABSENT", "WITHHELD"}.isdisjoint(environment)


def test_the_kernelspecs_env_goes_in(jupyter, monkeypatch):
    """What a kernelspec sets itself is granted, with ${VARIABLES} filled in as ever."""
    jupyter.spec(env={"MODE": "test", "DATA": "${PLACE}/data", "PYTHONEXECUTABLE": "/bin/false"})
    monkeypatch.setenv("PLACE", "/srv")
    with running() as (_, client):
        environment = seen(client)
        assert (environment["MODE"], environment["DATA"]) == ("test", "/srv/data")
        assert "PLACE" not in environment
        assert "PYTHONEXECUTABLE" not in environment


def test_the_kernelspecs_env_is_no_way_round_the_maxima(jupyter, monkeypatch, memory):
    """${VARIABLE} in a kernelspec asks for it as plainly as naming it does."""
    jupyter.spec(env={"INNOCENT": "${AWS_SECRET_ACCESS_KEY}"})
    monkeypatch.setattr(memory.allowed_env, "default_value", ["LANG"])
    with pytest.raises(PolicyError, match="AWS_SECRET_ACCESS_KEY"):
        KernelManager(kernel_name="boxed").start_kernel()


def test_no_parent_to_watch(jupyter):
    """JPY_PARENT_PID would make ipykernel take itself for an orphan and exit."""
    with running(env={**os.environ, "JPY_PARENT_PID": "12345"}) as (_, client):
        assert seen(client).get("JPY_PARENT_PID") in {None, "1"}


# Command


def test_extra_arguments_arrive(jupyter):
    """What a caller appends to the command reaches the kernel."""
    with running(extra_arguments=["--IPKernelApp.exec_lines=granted=42"]) as (_, client):
        assert printed(client, "print(granted)") == "42"


@pytest.mark.parametrize("extra", [[], ["--HistoryManager.hist_file=:memory:"]])
def test_history_is_not_written(jupyter, extra):
    """The history stays in memory, also when nbclient has said so already."""
    with running(extra_arguments=extra) as (_, client):
        assert printed(client, "print(get_ipython().history_manager.hist_file)") == ":memory:"


def test_other_kernelspecs_run_as_they_are(jupyter):
    """With the provisioner as Jupyter's default, a plain kernelspec's own argv runs behind the wall."""
    argv = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--IPKernelApp.exec_lines=own=1",
    ]
    jupyter.spec("plain", argv=argv)
    with running("plain") as (_, client):
        assert printed(client, "print(own)") == "1"


# Failure


def refused(name="boxed"):
    manager = KernelManager(kernel_name=name)
    with pytest.raises(StartError) as caught:
        manager.start_kernel()
    assert not manager.has_kernel
    return str(caught.value)


def test_a_failed_start_says_why(jupyter, no_leftovers):
    """A kernel that does not start: its own last words are in the message, and nothing of it is left."""
    jupyter.spec(argv=FAILURE)
    assert "no such luck" in refused()
    assert not no_leftovers.settle()


def test_a_program_that_is_not_there(jupyter):
    """A kernelspec whose program is missing names it."""
    jupyter.spec(argv=["no-such-program", "{connection_file}"])
    assert "no-such-program" in refused()


@pytest.mark.parametrize(
    "argv", [[], [sys.executable], [sys.executable, "{connection_file}", "{connection_file}"]]
)
def test_an_argv_without_connection_file(jupyter, argv):
    """A kernel that is not told where to listen is refused before it starts."""
    jupyter.spec(argv=argv)
    assert "argv" in refused()


def test_a_failed_start_can_be_tried_again(jupyter):
    """After a failure the same manager starts a kernel, if the reason is gone."""
    jupyter.spec(argv=FAILURE)
    manager = KernelManager(kernel_name="boxed")
    with pytest.raises(StartError):
        manager.start_kernel()
    manager.provisioner.kernel_spec.argv = [
        sys.executable,
        "-m",
        "sandbox_provisioner",
        "-f",
        "{connection_file}",
    ]
    try:
        manager.start_kernel()
        with connected(manager) as client:
            assert printed(client, "print(1)") == "1"
    finally:
        manager.shutdown_kernel(now=True)


def test_a_failed_restart_keeps_the_addresses(jupyter):
    """When a restart fails and the next one does not, clients are still connected."""
    with running() as (manager, client):
        good = manager.provisioner.kernel_spec.argv
        manager.provisioner.kernel_spec.argv = FAILURE
        with pytest.raises(StartError):
            manager.restart_kernel(now=True)
        manager.provisioner.kernel_spec.argv = good
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)


def test_cleanup_after_a_failed_restart(jupyter, no_leftovers):
    """A kernel that could not be restarted is cleared away like any other."""
    with running() as (manager, _):
        manager.provisioner.kernel_spec.argv = FAILURE
        with pytest.raises(StartError):
            manager.restart_kernel(now=True)
    assert not no_leftovers.settle()


async def launching(jupyter):
    """Return a manager, and its start in a task that will not come to an end by itself."""
    jupyter.spec(argv=SLEEPER)
    manager = AsyncKernelManager(kernel_name="boxed")
    start = asyncio.create_task(manager.start_kernel())
    await until_async(lambda: manager.provisioner and manager.provisioner._sandbox)
    return manager, start


async def test_a_cancelled_launch_leaves_nothing(jupyter, no_leftovers):
    """Nobody cleans up after a cancelled start; it does so itself."""
    manager, start = await launching(jupyter)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not manager.has_kernel
    assert not no_leftovers.settle()


async def test_a_launch_cancelled_twice_leaves_nothing(jupyter, no_leftovers):
    """Cancelling the clearing up does not stop it."""
    _, start = await launching(jupyter)
    start.cancel()
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not no_leftovers.settle()


async def test_cleanup_during_a_launch(jupyter, no_leftovers):
    """A kernel that is deleted while it starts ends, and its start fails instead of hanging."""
    manager, start = await launching(jupyter)
    assert not manager.has_kernel
    await manager.cleanup_resources()
    with pytest.raises(StartError):
        await start
    assert not no_leftovers.settle()


@pytest.mark.parametrize("turns", range(12))
async def test_cancelled_at_every_turn(jupyter, no_leftovers, turns):
    """Whenever a start is cancelled, nothing is left of it."""
    manager = AsyncKernelManager(kernel_name="boxed")
    start = asyncio.create_task(manager.start_kernel())
    for _ in range(turns):
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not no_leftovers.settle()
