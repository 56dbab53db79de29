"""A session whose sandbox is a container, and whose daemon goes away in between."""

import pytest

from sandbox_kernel import AsyncSandbox
from sandbox_kernel.errors import DaemonGoneError
from sandbox_kernel.mcp.desk import Desk
from tests.conftest import NO_DAEMON


@pytest.mark.timeout(120)
async def test_a_loss_is_told_once_it_is_made_good(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that gets no fresh sandbox says why; the one that gets it hears that variables are gone."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    desk = Desk(AsyncSandbox(engine="docker", memory="256m"))
    try:
        async with desk.turn() as (sandbox, _):
            await sandbox.run("import os; os._exit(3)")
        monkeypatch.setenv("DOCKER_HOST", NO_DAEMON)
        with pytest.raises(DaemonGoneError):
            async with desk.turn():
                pass
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        notes = []
        for _ in range(2):
            async with desk.turn() as (_, page):
                notes.append(str(page.result().content))
    finally:
        await desk.close()
    assert "The sandbox had ended: The kernel ended itself with exit status 3. This call got" in notes[0]
    assert "had ended" not in notes[1]
