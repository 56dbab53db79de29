"""The guest's bytecode is there before a sandbox needs it, and nobody is stopped by its absence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sandbox_kernel
from sandbox_kernel.host.engines.bubblewrap.bytecode import _compile, compile_guest, program

SOURCES = Path(sandbox_kernel.__file__).parent


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A fresh copy of the package, as some installers leave it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    copy = tmp_path / "sandbox_kernel"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    yield copy
    forget()


def forget():
    """Let the next look be the first of this process."""
    compile_guest.cache_clear()
    _compile.cache_clear()


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
    forget()
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


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A program that has never been run."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    path = tmp_path / "program.py"
    path.write_text("print('one')\n")
    yield path
    forget()


def said(path):
    command = [sys.executable, "-I", "-S", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_program_is_run_from_its_bytecode(source):
    """Also under a name that does not say what it is, as it has inside."""
    made = Path(program(str(source)))
    assert made.suffix == ".pyc"
    assert said(made) == "one\n"
    assert said(shutil.copy(made, source.with_name("program"))) == "one\n"


@pytest.mark.parametrize("moment", [0, -3600], ids=["now", "an hour ago"])
def test_bytecode_of_another_source_is_not_run(source, moment):
    """Nor of an older release, whose files may be younger than those of the next."""
    program(str(source))
    source.write_text("print('three')\n")
    os.utime(source, (moment + source.stat().st_mtime,) * 2)
    assert said(program(str(source))) == "three\n"


def test_a_program_whose_bytecode_cannot_be_written_is_run_itself(source):
    source.with_name("__pycache__").write_text("not a folder")
    assert program(str(source)) == str(source)
