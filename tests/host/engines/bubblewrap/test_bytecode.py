"""The guest's bytecode is there before a sandbox needs it, and nobody is stopped by its absence."""

import shutil
import sys
from pathlib import Path

import pytest

import sandbox_kernel
from sandbox_kernel.host.engines.bubblewrap.bytecode import compile_guest

SOURCES = Path(sandbox_kernel.__file__).parent


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A fresh copy of the package, as some installers leave it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    copy = tmp_path / "sandbox_kernel"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    yield copy
    compile_guest.cache_clear()


def compiled(package):
    return {path.name.partition(".")[0] for path in package.rglob("*.pyc")}


def test_what_goes_in_is_compiled_and_nothing_else(package):
    compile_guest(str(package))
    assert {"supervisor", "service", "decoder", "ipython_kernel_config", "__main__"} <= compiled(package)
    assert not (package / "host" / "__pycache__").exists()


def test_what_has_changed_is_compiled_anew(package):
    compile_guest(str(package))
    (old,) = package.glob("guest/__pycache__/relay.*.pyc")
    before = old.read_bytes()
    source = package / "guest" / "relay.py"
    source.write_text(source.read_text() + "CHANGED = True\n")
    compile_guest.cache_clear()
    compile_guest(str(package))
    assert old.read_bytes() != before


def test_nothing_is_written_where_python_is_told_not_to(package, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    compile_guest(str(package))
    assert not compiled(package)


def test_where_it_cannot_be_written_it_stays_missing(package):
    (package / "guest" / "__pycache__").write_text("not a folder")
    compile_guest(str(package))
    assert "supervisor" not in compiled(package)
    assert "decoder" in compiled(package)
