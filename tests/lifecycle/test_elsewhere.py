"""A daemon on another machine needs nothing of this one but the connection."""

import os
import subprocess
import sys
from pathlib import Path

import docker
import nbformat
import pytest

from sandbox_kernel.host.engines.docker.address import Address, Certificates
from sandbox_kernel.host.engines.docker.daemon import Daemon
from tests.daemons.elsewhere import elsewhere
from tests.daemons.plugin import or_skip

PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
IMAGE = "sandbox-kernel/python:latest"


@pytest.fixture(scope="module")
def far(docker_host, tmp_path_factory):
    """A second daemon, to which the image was sent over the connection."""
    certificates = tmp_path_factory.mktemp("tls")
    with or_skip("docker"), elsewhere(certificates) as far:
        _send(IMAGE, docker_host, far)
        yield far


def _send(image, near, far):
    address = Address("docker", far.host, "tests", Certificates(far.certificates))
    here, there = docker.APIClient(near), Daemon(address).client
    try:
        if not there.images(IMAGE) or there.inspect_image(IMAGE)["Id"] != here.inspect_image(IMAGE)["Id"]:
            there.load_image(b"".join(here.get_image(image)))
    finally:
        here.close()
        there.close()


@pytest.fixture
def notebook(tmp_path):
    """A notebook that writes down where it ran."""
    cells = [nbformat.v4.new_code_cell("import platform, os; print(platform.node(), os.getcwd(), 6 * 7)")]
    path = tmp_path / "note.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def run(far, notebook, *options):
    command = [PROGRAM, "run", notebook, "--engine", "docker", *options]
    return subprocess.run(
        command, env=os.environ | far.env, capture_output=True, text=True, timeout=100, check=False
    )


def test_a_notebook_runs_there(far, notebook):
    """The notebook stays here; its cells run there, and nothing is left there."""
    done = run(far, notebook, "--workspace", "none")
    assert done.returncode == 0, done.stderr
    nb = nbformat.read(notebook.with_name("note-executed.ipynb"), as_version=4)
    assert nb.cells[0].outputs[0].text == "sandbox /home/sandbox 42\n"


@pytest.mark.parametrize(
    "options", [(), ("--workspace", "rw"), ("--workspace", "none", "--mount", "/usr/share")]
)
def test_folders_of_this_machine_are_not_there(far, notebook, options):
    """A daemon elsewhere would make an empty directory of that name: it is refused in one sentence."""
    done = run(far, notebook, *options)
    assert done.returncode == 2
    assert "is not on this machine" in done.stderr
    assert "workspace none" in done.stderr
    assert "Traceback" not in done.stderr
