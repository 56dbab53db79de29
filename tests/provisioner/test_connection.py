"""Where a kernel is reached: told truly, stable for its life, and closed to others."""

import os
import stat
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.provisioning import KernelProvisionerBase

from sandbox_kernel.errors import PolicyError
from tests.provisioner.kernels import PATIENCE, printed, running

pytestmark = pytest.mark.usefixtures("memory", "no_leftovers")


def sockets(manager):
    return [Path(f"{manager.ip}-{port}") for port in manager.ports]


def test_connection_info_is_not_shared(jupyter):
    """Each provisioner has its own connection_info; the base class's dictionary stays empty."""
    with running() as (one, _), running() as (two, _):
        assert one.provisioner.connection_info["ip"] != two.provisioner.connection_info["ip"]
        assert KernelProvisionerBase.connection_info == {}


def test_the_manager_adopts_it(jupyter):
    """The manager ends with our transport, addresses and key, though nobody configured ipc."""
    with running() as (manager, _):
        info = manager.provisioner.connection_info
        assert (manager.transport, manager.ip, manager.session.key) == ("ipc", info["ip"], info["key"])
        assert isinstance(info["key"], bytes)
        assert len(info["key"]) >= 32


def test_sockets_are_private_and_short(jupyter):
    """Sockets lie in a directory that nobody else can enter, and their paths fit."""
    with running() as (manager, _):
        for path in sockets(manager):
            assert path.is_absolute()
            assert len(os.fsencode(path)) <= 107
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_kernel_has_its_own_key(jupyter):
    """No two kernels share a key."""
    with running() as (one, _), running() as (two, _):
        assert one.session.key != two.session.key


@pytest.mark.parametrize("now", [True, False])
def test_a_client_survives_restarts(jupyter, now):
    """Addresses and key stay over a restart, so a client that was there before goes on, iopub included."""
    with running() as (manager, client):
        before = manager.provisioner.connection_info
        printed(client, "x = 1")
        manager.restart_kernel(now=now)
        assert manager.provisioner.connection_info == before
        client.wait_for_ready(timeout=PATIENCE)
        assert printed(client, "print('x' in globals())") == "False"


def test_sockets_are_bound_again(jupyter):
    """A restart unlinks our sockets behind our back; the next launch binds them again."""
    with running() as (manager, client):
        manager.cleanup_ipc_files()
        assert not any(path.exists() for path in sockets(manager))
        manager.restart_kernel(now=True)
        assert all(path.exists() for path in sockets(manager))
        client.wait_for_ready(timeout=PATIENCE)


def test_new_ports_change_nothing(jupyter):
    """A restart that asks for new ports keeps the addresses: clients could not follow."""
    with running() as (manager, client):
        before = manager.get_connection_info()
        manager.restart_kernel(now=True, newports=True)
        assert manager.get_connection_info() == before
        client.wait_for_ready(timeout=PATIENCE)


def test_a_second_client_by_connection_file(jupyter):
    """`jupyter console --existing` finds a running kernel by its connection file."""
    with running() as (manager, client):
        printed(client, "x = 42")
        other = BlockingKernelClient(connection_file=manager.connection_file)
        other.load_connection_file()
        other.start_channels()
        try:
            other.wait_for_ready(timeout=PATIENCE)
            assert printed(other, "print(x)") == "42"
        finally:
            other.stop_channels()


def test_the_connection_file_is_private(jupyter):
    """Nobody else can read the key from the connection file."""
    with running() as (manager, _):
        assert stat.S_IMODE(os.stat(manager.connection_file).st_mode) & 0o077 == 0


def test_the_key_stays_outside(jupyter):
    """The key that clients trust is nowhere inside; the kernel has none."""
    with running() as (manager, client):
        inside = printed(
            client,
            "import ipykernel; file = open(ipykernel.get_connection_file()).read()\n"
            "print([get_ipython().kernel.session.key, file])",
        )
        assert manager.session.key.decode() not in inside
        assert inside.startswith("[b'', ")


@pytest.mark.parametrize("kernel_id", ["../../../etc", "a/b\0c", "x" * 5000, "-rf", "\x1b[2J"])
def test_a_kernel_id_is_never_a_path(jupyter, kernel_id):
    """jupyter_server passes on whatever id a client posts; it must not name a file of ours."""
    manager = KernelManager(kernel_name="boxed")
    try:
        manager.start_kernel(kernel_id=kernel_id)
        assert kernel_id not in manager.ip
        assert len(manager.ip) < 107
    finally:
        manager.shutdown_kernel(now=True)


def test_required_encryption_is_refused(jupyter):
    """Where encryption is demanded, a kernel that would speak in the clear does not start."""
    jupyter.spec(metadata={"supported_encryption": ["curve"]})
    manager = KernelManager(kernel_name="boxed", transport_encryption="required")
    with pytest.raises(PolicyError, match="unix sockets"):
        manager.start_kernel()
    assert not manager.has_kernel


def test_wished_for_encryption_is_not_needed(jupyter):
    """Where encryption is only wished for, private sockets do."""
    jupyter.spec(metadata={"supported_encryption": ["curve"]})
    manager = KernelManager(kernel_name="boxed", transport_encryption="auto")
    try:
        manager.start_kernel()
        assert manager.curve_publickey is None
    finally:
        manager.shutdown_kernel(now=True)


def test_foreign_keys_are_refused_before_anything_starts(jupyter):
    """Keys that we would not use make jupyter_client lose the running kernel; so nothing is started."""
    manager = KernelManager(kernel_name="boxed", curve_publickey=b"x" * 40, curve_secretkey=b"y" * 40)
    with pytest.raises(PolicyError, match="Curve"):
        manager.start_kernel()
