"""The fingerprint of an environment: the same for the same packages, another one for others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.host.audit.environment import fingerprint


def environment(place: Path, *packages: str) -> str:
    """Make a virtual environment with such packages in it; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    for package in packages:
        install(place, package)
    return str(place / "bin" / "python")


def install(place: Path, package: str) -> None:
    (next(place.glob("lib/python3*/site-packages")) / f"{package}.dist-info").mkdir()


@pytest.fixture
def python(tmp_path):
    return environment(tmp_path / "one", "numpy-2.0", "pandas-2.2")


def test_the_same_wherever_the_same_is_installed(python, tmp_path):
    """Neither the place nor the order of installation matters."""
    other = environment(tmp_path / "two", "pandas-2.2", "NumPy-2.0")
    assert fingerprint(python) == fingerprint(other)
    assert fingerprint(python).startswith("sha256:")


def test_another_package_is_another_environment(python, tmp_path):
    """Also where it comes after the first look, in the same process."""
    before = fingerprint(python)
    assert fingerprint(python) == before
    install(tmp_path / "one", "polars-1.0")
    assert fingerprint(python) != before
    assert fingerprint(environment(tmp_path / "two", "numpy-2.1", "pandas-2.2")) != before


def test_an_environment_that_is_gone(python, tmp_path):
    """What is no Python here has no fingerprint; nothing is raised, and nothing remembered is believed."""
    assert fingerprint(python)
    os.rename(tmp_path / "one", tmp_path / "away")
    assert fingerprint(python) is None
    assert fingerprint("/no/such/python") is None
