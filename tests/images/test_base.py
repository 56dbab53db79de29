"""A base image from distribution packages."""

import shutil

import pytest

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.images import base
from sandbox_kernel.host.images.recipe import directory


def test_the_script_is_shell():
    """Whatever shell a machine has: the first line asks for no more than sh."""
    assert (directory() / "base").read_text().startswith("#!/bin/sh\n")


def test_without_mmdebstrap(tmp_path, monkeypatch):
    """The error says what to install."""
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    monkeypatch.setenv("PATH", str(tmp_path))
    heard = []
    with pytest.raises(ImageError, match="install the package mmdebstrap"):
        base.make(tmp_path / "base.tar", heard.append)
    assert heard
    assert not (tmp_path / "base.tar").exists()


def test_without_a_mirror(tmp_path, monkeypatch):
    """The error ends with what mmdebstrap said."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("engine docker: mmdebstrap is not installed")
    monkeypatch.setenv("MIRROR", "http://mirror.invalid/debian")
    with pytest.raises(ImageError, match=r"No base could be made .*\n(.*\n)*.*(mirror\.invalid|failed|E:)"):
        base.make(tmp_path / "base.tar", print)
