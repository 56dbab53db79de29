"""`sandbox-kernel image`."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from tests.cli.conftest import Run

OWN = """
FROM sandbox-kernel/python
USER root
RUN rm -r /opt/sandbox-kernel
VOLUME /data
ENV FLAVOUR=vanilla
LABEL org.sandbox-kernel.guest=
ENTRYPOINT ["/bin/false"]
"""


@pytest.fixture
def docker(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The daemon that the command line talks to."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    daemon = Daemon(Address("docker", docker_host, "tests"))
    yield daemon
    daemon.close()


@pytest.fixture
def own_image(docker: Daemon) -> Iterator[str]:
    """A user's own image: Python and ipykernel, and nothing of ours."""
    name = "sandbox-kernel-test/own"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(OWN)
        tar.addfile(entry, io.BytesIO(OWN.encode()))
    context.seek(0)
    options = {"custom_context": True, "network_mode": "none", "rm": True, "decode": True}
    said = list(docker.client.build(fileobj=context, tag=name, **options))
    assert not [event for event in said if "error" in event]
    yield name
    docker.client.remove_image(name)


def test_list(docker: Daemon, sandbox_kernel: Run) -> None:
    """Images of ours, with what programs and people need to know."""
    shown = sandbox_kernel("image", "list")
    assert "sandbox-kernel/python:latest" in shown.stdout
    assert "current" in shown.stdout
    listed = json.loads(sandbox_kernel("image", "list", "--json").stdout)
    [mine] = [entry for entry in listed if "sandbox-kernel/python:latest" in entry["tags"]]
    assert mine["engine"] == "docker"
    assert mine["labels"]["org.sandbox-kernel.guest"] == guest.label()
    assert 100e6 < mine["size"] < 300e6


def test_check(docker: Daemon, sandbox_kernel: Run) -> None:
    """Our image has this guest, Python and ipykernel; a kernel starts as an ordinary user."""
    shown = sandbox_kernel("image", "check", "sandbox-kernel/python")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Kernels start in it." in shown.stdout
    finding = json.loads(sandbox_kernel("image", "check", "sandbox-kernel/python", "--json").stdout)
    assert finding["guest"] == guest.label()
    assert finding["guest_is_ours"]
    assert finding["python"].startswith("3.")
    assert finding["ipykernel"].startswith("7.")
    assert not finding["user"].startswith("0:")
    assert 0 < finding["seconds"] < 60
    assert finding["problems"] == []


def test_an_image_of_ones_own(
    own_image: str, sandbox_kernel: Run, notebook: Callable[..., Path], docker: Daemon
) -> None:
    """It needs Python and ipykernel, nothing of ours: it is found usable, and runs a notebook."""
    checked = sandbox_kernel("image", "check", own_image, "--json")
    finding = json.loads(checked.stdout)
    assert checked.returncode == 0, finding
    assert finding["guest"] == ""
    assert not finding["guest_is_ours"]
    cell = "import os, sys; print(os.environ['FLAVOUR'], sys.prefix, os.path.exists('/opt/sandbox-kernel'))"
    path = notebook("a.ipynb", cell)
    ran = sandbox_kernel("run", path, "--engine", "docker", "--image", own_image)
    assert ran.returncode == 0, ran.stderr
    [output] = nbformat.read("a-executed.ipynb", as_version=4).cells[0].outputs
    assert output.text == "vanilla /opt/venv False\n"


def test_what_is_missing(docker: Daemon, sandbox_kernel: Run) -> None:
    """An image without ipykernel is not usable, and the answer says how to make it so."""
    checked = sandbox_kernel("image", "check", "sandbox-kernel/base")
    assert checked.returncode == 1
    assert "Problem: ipykernel is missing" in checked.stdout
    assert "pip install ipykernel" in checked.stdout
    assert "none in the image" in checked.stdout


def test_an_image_that_is_not_there(docker: Daemon, sandbox_kernel: Run) -> None:
    """Nothing is pulled."""
    checked = sandbox_kernel("image", "check", "registry.invalid/none")
    assert checked.returncode == 2
    assert "docker pull registry.invalid/none" in checked.stderr


@pytest.mark.timeout(300)
def test_build(docker: Daemon, sandbox_kernel: Run) -> None:
    """What happens is told on standard error, what came of it on standard output."""
    built = sandbox_kernel("image", "build", "python", "--base", "sandbox-kernel/base")
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("Built sandbox-kernel/python: ")
    assert "Downloading packages" in built.stderr
    assert "--->" not in built.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["build", "r"], "'r' is not one of"),
        (["build", "--offline", "--base", "x"], "say one of the two"),
        (["build"], "Docker does not answer"),
        (["list"], "Docker does not answer"),
        (["check", "x"], "Docker does not answer"),
    ],
)
def test_refusals(arguments: list[str], sentence: str, sandbox_kernel: Run) -> None:
    """Wrong use, and no daemon: one sentence, exit code 2."""
    refused = sandbox_kernel("image", *arguments, env={**os.environ, "DOCKER_HOST": "unix:///nowhere/d.sock"})
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
