"""Runs in containers: files come out, costs are counted, and a container that goes away is a loss."""

import asyncio
from pathlib import Path

import docker
import pytest

from sandbox_kernel.errors import DaemonGoneError
from sandbox_kernel.notebooks import NotebookRun, Outcome, RunOptions
from tests.daemons.plugin import container_host
from tests.notebooks.runs import Watcher, notebook, text_of

pytestmark = pytest.mark.timeout(300)

POLICIES = {
    "docker": {"engine": "docker"},
    "gvisor": {"engine": "docker", "runtime": "gvisor"},
    "podman": {"engine": "podman"},
}
LEAVE = "import os, pathlib\npathlib.Path(os.environ['SANDBOX_ARTIFACTS'], 'a').write_bytes(bytes(300_000))"
BUSY = "print('busy', flush=True)\nwhile True: pass"


@pytest.mark.parametrize("engine", POLICIES)
async def test_a_run(
    directory: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Whatever the wall, artifacts come out, and the result knows what it cost."""
    host = container_host(request, engine)
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.setenv(variable, host)
    options = RunOptions(directory=directory, policy=POLICIES[engine], artifacts=directory / "out")
    result = await NotebookRun(notebook(LEAVE), None, options).execute()
    assert (result.outcome, result.left_out) == (Outcome.OK, ())
    assert (directory / "out" / "a").read_bytes() == bytes(300_000)
    assert result.provenance["image_id"].startswith("sha256:")
    assert result.cpu_seconds
    assert result.peak_memory is not None
    assert result.peak_memory > 10 << 20


async def test_no_daemon(directory: Path) -> None:
    """A daemon that does not answer is told from a wall that cannot be had here: it may come back."""
    options = RunOptions(directory=directory, policy=POLICIES["docker"])
    with pytest.raises(DaemonGoneError, match="Docker does not answer at unix:///nowhere"):
        await NotebookRun(notebook("1"), None, options).execute()


async def test_lost(directory: Path, docker_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that somebody removes in mid-run is lost: no doing of the code's."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    watcher = Watcher()
    options = RunOptions(directory=directory, policy=POLICIES["docker"])
    job = NotebookRun(notebook("print(1)", BUSY), None, options, watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    session = job._client.witness.provenance["session"]
    client = docker.DockerClient(base_url=docker_host)
    try:
        [container] = [one for one in client.containers.list() if session in f"{one.name} {one.labels}"]
        container.remove(force=True)
    finally:
        client.close()
    result = await running
    assert (result.outcome, result.cell) == (Outcome.LOST, 2)
    assert text_of(result.notebook.cells[0]) == "1\n"
