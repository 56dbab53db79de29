"""What is written down is an administrator's choice, and a Jupyter Server's listeners hear of it."""

import json

import pytest
from jupyter_client import KernelManager
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from traitlets.config import Config

from sandbox_kernel.errors import AuditError, PolicyError
from sandbox_kernel.host.audit.records import SCHEMA, SCHEMA_ID
from tests.provisioner.kernels import connected, until_async


def configured(place, **settings):
    return Config({"SandboxProvisioner": {"audit_log": str(place), **settings}})


def run(config, code="1"):
    """Run one cell under a synchronous manager."""
    manager = KernelManager(kernel_name="boxed", config=config)
    manager.start_kernel()
    try:
        with connected(manager) as client:
            client.execute_interactive(code, timeout=30)
    finally:
        manager.shutdown_kernel(now=True)
    return manager


def records(place):
    return [json.loads(text) for text in place.read_text().splitlines() if text]


def test_kernels_are_written_down(jupyter, memory, tmp_path):
    """By default, under the names that Jupyter has for them."""
    place = tmp_path / "state" / "log"
    manager = run(configured(place))
    first, *cells, last = records(place)
    assert (first["kernel_id"], first["kernel_name"]) == (manager.provisioner.kernel_id, "boxed")
    assert "ok" in [cell["outcome"] for cell in cells]
    assert last["event"] == "session_end"


def test_off(jupyter, memory, tmp_path):
    """An administrator may switch it off."""
    run(configured(tmp_path / "state" / "log", audit="off"))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("setting", [{"audit": "off"}, {"audit_log": "/dev/null"}, {"audit_code": True}])
def test_kernelspecs_have_no_say(jupyter, memory, setting):
    """A kernelspec that would hide what its kernels do is refused by name."""
    jupyter.spec(config=setting)
    with pytest.raises(PolicyError, match=next(iter(setting))) as caught:
        KernelManager(kernel_name="boxed").start_kernel()
    assert "administrators" in str(caught.value)


def test_a_required_log(jupyter, memory, tmp_path):
    """Where it must be written and cannot be, no kernel starts."""
    (tmp_path / "state").touch()
    with pytest.raises(AuditError, match="required"):
        KernelManager(
            kernel_name="boxed", config=configured(tmp_path / "state" / "log", audit="required")
        ).start_kernel()


async def test_a_servers_listeners(jupyter, memory, tmp_path):
    """A Jupyter Server's event logger gets the same records, of the schema that was registered."""
    manager = ServerKernelManager(kernel_name="boxed", config=configured(tmp_path / "state" / "log"))
    heard = []

    async def listen(logger, schema_id, data):
        heard.append(data)

    manager.event_logger.register_event_schema(SCHEMA)
    manager.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    await manager.start_kernel()
    await manager.shutdown_kernel(now=True)
    await until_async(lambda: len(heard) >= 2)
    told = [{name: record[name] for name in record if not name.startswith("__")} for record in heard]
    assert told == records(tmp_path / "state" / "log")
