"""Jupyter's configuration files bind every program, also those that do not read them."""

import json
import subprocess
import sys

import pytest
from jupyter_client.manager import start_new_kernel
from sandbox_provisioner.configuration import machine_configuration, under
from traitlets.config import Config

from sandbox_kernel.errors import PolicyError

SECTION = "SandboxProvisioner"


@pytest.fixture
def configured(jupyter, tmp_path):
    """Write Jupyter's configuration file of this user."""

    def write(text, name="jupyter_config.py"):
        (tmp_path / "config" / name).write_text(text)

    return write


def test_a_maximum_binds_a_program_without_configuration(configured, memory, monkeypatch):
    """papermill and `jupyter execute` bring none; what an administrator wrote counts all the same."""
    configured("c.SandboxProvisioner.max_memory = '200m'")
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "2g")
    with pytest.raises(PolicyError, match="200 MiB"):
        start_new_kernel(kernel_name="boxed")


def test_json_is_read_as_well(configured):
    """jupyter_config.json says the same as jupyter_config.py."""
    configured(json.dumps({SECTION: {"memory": "300m"}, "Other": {"a": 1}}), "jupyter_config.json")
    assert machine_configuration() == {SECTION: {"memory": "300m"}}


def test_the_program_is_stronger(configured):
    """What a program was told itself comes before the files; the rest of them still counts."""
    configured("c.SandboxProvisioner.memory = '300m'\nc.SandboxProvisioner.max_cpus = 2")
    merged = under(Config({SECTION: {"memory": "400m"}}))
    assert merged == {SECTION: {"memory": "400m", "max_cpus": 2}}


def test_a_misspelt_name_is_refused(configured, memory):
    """A name that traitlets would drop is an error here, too."""
    configured("c.SandboxProvisioner.max_memroy = '200m'")
    with pytest.raises(PolicyError, match="max_memory"):
        start_new_kernel(kernel_name="boxed")


def test_a_file_that_cannot_be_read_is_an_error(configured, memory):
    """Its maxima would be missing, so nothing is started."""
    configured("c.SandboxProvisioner.max_memory = ")
    with pytest.raises(PolicyError, match=r"jupyter_config\.py"):
        start_new_kernel(kernel_name="boxed")


def test_the_notebooks_folder_is_not_where_configuration_is(jupyter):
    """A file that came with the notebook is not run."""
    (jupyter.notebooks / "jupyter_config.py").write_text("raise SystemExit('run on the host')")
    assert machine_configuration() == {}


def test_the_launcher_is_bound(configured, jupyter, tmp_path, monkeypatch):
    """So is the launcher that programs run which know nothing of provisioners."""
    configured("c.SandboxProvisioner.max_memory = '200m'")
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "2g")
    command = [sys.executable, "-E", "-P", "-m", "sandbox_provisioner", "-f", "connection.json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "200 MiB" in ended.stderr
