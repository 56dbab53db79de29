"""The tools that people already use run the example notebooks in containers, on runc and on gVisor.

Each tool on one of them: a tool sees nothing of what is inside, and what is inside nothing of the tool.
What the four pairs share is tested with many more notebooks by `tests/peers`, in containers, too.
"""

import os
from pathlib import Path

import pytest

from tests.installed import do
from tests.packaging.test_tools import check, notebooks

__all__ = ["notebooks"]

pytestmark = pytest.mark.timeout(400)


def containers(host: str, image: str, **more: str) -> dict[str, str]:
    """Return an environment that has every sandbox be a container, whatever starts it."""
    docker = {"DOCKER_HOST": host, "SANDBOX_KERNEL_ENGINE": "docker", "SANDBOX_KERNEL_IMAGE": image}
    return os.environ | docker | more


def test_papermill(
    installed: Path, notebooks: Path, tmp_path: Path, docker_host: str, scipy_image: str
) -> None:
    """Papermill runs every example, on runc."""
    environment = containers(docker_host, scipy_image)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        out = tmp_path / notebook.name
        papermill = (installed.parent / "papermill", notebook, out, "-k", "sandboxed-python")
        do(*papermill, "--cwd", notebooks, env=environment)
        check(out)


def test_nbclient(installed: Path, notebooks: Path, gvisor_host: str, scipy_image: str) -> None:
    """So does nbclient, as jupyter execute, on gVisor."""
    environment = containers(gvisor_host, scipy_image, SANDBOX_KERNEL_RUNTIME="runsc")
    every = sorted(notebooks.glob("*.ipynb"))
    execute = (installed.parent / "jupyter", "execute", "--inplace", "--kernel_name=sandboxed-python")
    do(*execute, *every, env=environment)
    for notebook in every:
        check(notebook)
