"""A container behaves as any other sandbox, but its Python is another."""

from collections.abc import Iterator
from threading import Timer

import numpy as np
import pytest

from sandbox_kernel import Sandbox
from sandbox_kernel.errors import EngineUnavailableError, TransferError
from sandbox_kernel.session import Outcome
from tests.conftest import NO_DAEMON

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def contained(docker_host: str) -> Iterator[Sandbox]:
    """One for all tests here, made as `auto` makes it where a daemon is at hand; each leaves it usable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", docker_host)
        with Sandbox(memory="256m") as sandbox:
            yield sandbox


def test_what_crosses(contained: Sandbox) -> None:
    """Values and files go in and come out."""
    data = bytes(range(256)) * 10_000
    contained.put("numbers", [1, 2.5, None])
    contained.put("data", data)
    assert contained.get("numbers") == [1, 2.5, None]
    assert contained.get("data") == data
    contained.put_file("made/here.bin", data)
    assert contained.get_file("made/here.bin") == data
    assert contained.wall == "docker, image sandbox-kernel/python"


def test_what_the_image_has_not(contained: Sandbox) -> None:
    """A value that belongs to a package of this side alone says on which side that is missing."""
    with pytest.raises(TransferError) as raised:
        contained.put("array", np.arange(3))
    assert str(raised.value) == (
        "What was to become array does not cross: it needs numpy, which is not installed inside."
    )


def test_interrupt_and_deadline(contained: Sandbox) -> None:
    """Code that reacts is stopped, and what was defined stays."""
    contained.put("kept", 1)
    assert contained.run("while True: pass", timeout=0.5).outcome is Outcome.TIMEOUT
    timer = Timer(0.5, contained.interrupt)
    timer.start()
    assert contained.run("while True: pass").outcome is Outcome.CANCELLED
    timer.join()
    assert contained.get("kept") == 1


def test_another_engine_is_another_python(
    contained: Sandbox, docker_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its end it is fresh and in a container again; never elsewhere, for want of a daemon."""
    ran = contained.run("held = [bytearray(b'x' * (10 << 20)) for _ in range(100)]")
    assert ran.outcome is Outcome.MEMORY
    monkeypatch.setenv("DOCKER_HOST", NO_DAEMON)
    with pytest.raises(EngineUnavailableError, match="Docker does not answer"):
        contained.reset()
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    contained.reset()
    assert contained.run("'kept' in dir()").value == "False"
    assert contained.wall == "docker, image sandbox-kernel/python"
