"""The tools that people already use run the example notebooks in containers, on runc and on gVisor."""

import os
from pathlib import Path

import pytest

from tests.daemons.plugin import container_host
from tests.installed import do
from tests.packaging.test_tools import check, notebooks

__all__ = ["notebooks"]

pytestmark = pytest.mark.timeout(400)
RUNTIMES = {"docker": {}, "gvisor": {"SANDBOX_KERNEL_RUNTIME": "runsc"}}


@pytest.fixture(params=RUNTIMES)
def environment(request: pytest.FixtureRequest, scipy_image: str) -> dict[str, str]:
    """What has every sandbox be a container, whatever starts it."""
    own = {
        "DOCKER_HOST": container_host(request, request.param),
        "SANDBOX_KERNEL_ENGINE": "docker",
        "SANDBOX_KERNEL_IMAGE": scipy_image,
    }
    return os.environ | own | RUNTIMES[request.param]


def test_papermill(installed: Path, notebooks: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """Papermill runs every example."""
    for notebook in sorted(notebooks.glob("*.ipynb")):
        out = tmp_path / notebook.name
        papermill = (installed.parent / "papermill", notebook, out, "-k", "sandboxed-python")
        do(*papermill, "--cwd", notebooks, env=environment)
        check(out)


def test_nbclient(installed: Path, notebooks: Path, environment: dict[str, str]) -> None:
    """So does nbclient, as jupyter execute."""
    every = sorted(notebooks.glob("*.ipynb"))
    execute = (installed.parent / "jupyter", "execute", "--inplace", "--kernel_name=sandboxed-python")
    do(*execute, *every, env=environment)
    for notebook in every:
        check(notebook)
