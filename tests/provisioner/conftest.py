"""A private Jupyter: its own kernelspecs, connection files, directory and environment."""

import json
import os
import sys
from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from sandbox_provisioner import SandboxProvisioner

from sandbox_kernel.host.engines.memory import MemoryEngine

NAME = "sandbox-provisioner"
KERNELSPEC = Path(__file__).parents[2] / "kernelspecs" / "sandboxed-python"


class MemoryProvisioner(SandboxProvisioner):
    """The provisioner on the test double: everything but the wall."""

    def select_engine(self, policy, launch):
        return MemoryEngine()


class Loaded:
    """An entry point that is loaded already."""

    name = NAME

    def __init__(self, loaded):
        self._loaded = loaded

    def load(self):
        return self._loaded


class Jupyter:
    """Where this test's kernelspecs are, and where its notebooks would be."""

    def __init__(self, data, notebooks):
        self.kernels = data / "kernels"
        self.notebooks = notebooks

    def spec(self, name="boxed", *, config=None, metadata=None, **fields):
        """Write a kernelspec like ours, with some changes; return its name."""
        content = json.loads((KERNELSPEC / "kernel.json").read_text()) | fields
        if config is not None:
            content["metadata"]["kernel_provisioner"]["config"] = config
        content["metadata"] |= metadata or {}
        directory = self.kernels / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "kernel.json").write_text(json.dumps(content))
        return name


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """A Jupyter with one kernelspec, "boxed", that is ours unchanged."""
    for name in [name for name in os.environ if name.startswith(("SANDBOX_KERNEL_", "JUPYTER_", "JPY_"))]:
        monkeypatch.delenv(name)
    for name in ("data", "runtime", "config"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / name))
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.chdir(notebooks)
    KernelProvisionerFactory.clear_instance()
    KernelProvisionerFactory.instance()  # looks up the entry points, so that `serve` comes after that
    jupyter = Jupyter(tmp_path / "data", notebooks)
    jupyter.spec()
    yield jupyter
    KernelProvisionerFactory.clear_instance()


@pytest.fixture
def memory(jupyter, monkeypatch):
    """Have kernels start on the test double."""
    return serve(monkeypatch, MemoryProvisioner)


def serve(monkeypatch, provisioner_class):
    """Let our name stand for another class."""
    monkeypatch.setitem(KernelProvisionerFactory.provisioners, NAME, Loaded(provisioner_class))
    return provisioner_class


SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)", "{connection_file}"]
"""The argv of a kernel that never gets ready."""

FAILURE = [sys.executable, "-c", "raise SystemExit('no such luck')", "{connection_file}"]
"""The argv of a kernel that does not start, and says why."""
