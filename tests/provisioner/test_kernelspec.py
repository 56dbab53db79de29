"""The kernelspec that ships."""

import json
import struct

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from sandbox_provisioner.command import LAUNCHER, SAFE

from tests.provisioner.conftest import KERNELSPEC, NAME


def test_it_names_provisioner_and_launcher():
    """One kernelspec serves both those who know provisioners and those who run its argv."""
    spec = KernelSpec.from_resource_dir(str(KERNELSPEC))
    assert spec.argv == ["python", *SAFE, *LAUNCHER, "-f", "{connection_file}"]
    assert spec.display_name == "Sandboxed Python"
    assert spec.language == "python"
    assert spec.interrupt_mode == "signal"
    assert spec.metadata["debugger"] is True


def test_it_carries_no_policy():
    """With a config of its own, it would silence environment and configuration."""
    spec = json.loads((KERNELSPEC / "kernel.json").read_text())
    assert spec["metadata"]["kernel_provisioner"] == {"provisioner_name": NAME}


def test_jupyter_finds_it(jupyter):
    """A kernelspec whose provisioner is not installed vanishes from Jupyter; ours is there."""
    assert KernelSpecManager().get_kernel_spec(jupyter.spec()).display_name == "Sandboxed Python"


@pytest.mark.parametrize("size", [32, 64])
def test_logos_have_their_size(size):
    """Logos are PNG, as large as their names say."""
    data = (KERNELSPEC / f"logo-{size}x{size}.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == (size, size)


def test_there_is_a_drawing():
    """The vector logo is there, and harmless: no script, nothing from elsewhere."""
    drawing = (KERNELSPEC / "logo-svg.svg").read_text()
    assert drawing.startswith("<svg")
    assert "script" not in drawing
    assert "href" not in drawing
