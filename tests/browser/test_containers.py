"""A kernel on the Docker engine, as people meet it: in JupyterLab."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from playwright.sync_api import Browser, expect

from sandbox_kernel.host.engines.docker import leftovers
from tests.browser.conftest import serving, window
from tests.browser.lab import PATIENCE, Lab

BOXED = "Boxed Python"
PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, docker_host: str, scipy_image: str
) -> Iterator[tuple[str, Path]]:
    """JupyterLab with a kernel that `sandbox-kernel install` has made."""
    home = tmp_path_factory.mktemp("home")
    where = {"HOME": str(home), "JUPYTER_PLATFORM_DIRS": "1", "DOCKER_HOST": docker_host}
    policy = ("--engine", "docker", "--image", scipy_image, "--memory", "600m")
    install = [PROGRAM, "install", "--user", "--name", "boxed", "--display-name", BOXED, *policy]
    subprocess.run(install, env=os.environ | where, check=True, capture_output=True)
    with serving(home, repository, DOCKER_HOST=docker_host) as served:
        served[1].chmod(0o755)  # root's container runs as somebody else
        yield served


@pytest.fixture
def lab(
    chromium: Browser, server: tuple[str, Path], screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """A window whose notebooks run in containers."""
    name = request.node.name.removeprefix("test_")
    with window(chromium, server, screenshots / f"container-{name}.png", BOXED) as lab:
        yield lab


def test_analysis(lab: Lab) -> None:
    """The analysis notebook, changed to this kernel, runs from top to bottom and shows its plots."""
    notebook = lab.notebooks / "analysis.ipynb"
    notebook.write_text(notebook.read_text().replace('"sandboxed-python"', '"boxed"'))
    lab.open("analysis.ipynb")
    expect(lab.kernel_name).to_have_text(BOXED)
    lab.menu("Run", "Run All Cells")
    lab.expect_all_executed()
    plots = lab.notebook.locator(".jp-RenderedImage img")
    expect(plots.first).to_be_attached()
    assert plots.count() >= 3
    plots.first.hover()
    expect(plots.first).to_be_in_viewport(ratio=0.5)
    expect(lab.notebook.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)


def test_memory(lab: Lab) -> None:
    """A kernel that takes too much memory is killed, and the cell says so."""
    lab.new_notebook()
    cell = lab.execute("held = [bytearray(b'x') * (64 << 20) for _ in range(100)]")
    expect(lab.output(cell)).to_contain_text("of 600 MiB memory")


def test_nothing_is_left(server: tuple[str, Path], docker_host: str) -> None:
    """When the windows are closed, there is no container of this server any more."""
    assert server
    client = docker.APIClient(docker_host)
    mine = {"label": f"{leftovers.MACHINE}"}
    try:
        deadline = time.monotonic() + PATIENCE
        while (left := _of(server, client.containers(all=True, filters=mine))) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.1)
        assert left == []
    finally:
        client.close()


def _of(server: tuple[str, Path], found: list[dict[str, object]]) -> list[str]:
    """Return the containers that this server's notebooks are mounted in."""
    return [str(one["Id"]) for one in found if str(server[1]) in str(one.get("Mounts"))]
