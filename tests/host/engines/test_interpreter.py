import os
import site
import subprocess
import sys

import pytest

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.interpreter import (
    describe,
    look_at_interpreter,
    our_interpreter,
    require_open_to_all,
)


def paths(interpreter):
    """Where its directories are seen."""
    return {place.path for place in interpreter.directories}


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A virtual environment of the interpreter that runs the tests."""
    path = tmp_path_factory.mktemp("venv") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


def test_ours():
    """Our own interpreter comes with its prefixes, as named and as they really are."""
    ours = our_interpreter()
    assert ours.executable == sys.executable
    for prefix in (sys.prefix, sys.base_prefix):
        assert {prefix, os.path.realpath(prefix)} <= paths(ours)
    assert look_at_interpreter(sys.executable) == ours


def test_another_environments(venv):
    """A kernel's interpreter comes with its environment's prefix and the base's."""
    found = look_at_interpreter(str(venv / "bin/python"))
    assert found.executable == str(venv / "bin/python")
    assert str(venv) in paths(found)
    assert os.path.realpath(sys.base_prefix) in paths(found)


def test_a_way_up_is_straightened(venv, tmp_path, monkeypatch):
    """`../venv/bin/python` leads through a folder that is not there inside; links on the way count."""
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    crooked = f"{tmp_path}/link/../../{os.path.relpath(venv, tmp_path)}/bin/python"
    assert os.path.samefile(crooked, venv / "bin" / "python")
    assert look_at_interpreter(crooked).executable == f"{os.path.realpath(venv)}/bin/python"
    monkeypatch.setattr(sys, "executable", crooked)
    monkeypatch.setattr(sys, "prefix", f"{tmp_path}/link/../../{os.path.relpath(venv, tmp_path)}")
    ours = our_interpreter()
    assert ".." not in " ".join([ours.executable, *(place.path for place in ours.directories)])


def test_links_are_followed_anew(venv, tmp_path):
    """An environment reached through a link that is changed between two launches is seen as it is now."""
    way = tmp_path / "way"
    way.mkdir()
    os.symlink(venv, way / "env")
    before = look_at_interpreter(str(way / "env/bin/python"))
    assert str(way / "env") in [link.path for link in before.links]
    (tmp_path / "way").rename(tmp_path / "real")
    os.symlink(tmp_path / "real", way)
    after = look_at_interpreter(str(way / "env/bin/python"))
    assert str(way) in [link.path for link in after.links]


def test_a_program_that_is_missing():
    """A kernelspec whose environment was removed is named in the error."""
    with pytest.raises(StartError, match=r"/nowhere/bin/python.*not found"):
        look_at_interpreter("/nowhere/bin/python")


def test_what_a_kernels_interpreter_would_do_is_never_done(venv, tmp_path):
    """Neither the program nor anything else of its environment is run: code inside may have written it."""
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text((venv / "pyvenv.cfg").read_text())
    program = environment / "bin/python"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    subprocess.run([program], check=True)
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    assert str(environment) in paths(look_at_interpreter(str(program)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("home", ["{private}/bin", "/", "relative", "/proc/self", "\0", "x" * 5000])
def test_a_lying_environment_shows_nothing_else(tmp_path, home):
    """A pyvenv.cfg that names a directory without a standard library does not get that directory shown."""
    private = tmp_path / "private"
    (private / "bin").mkdir(parents=True)
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python").write_text("#!/bin/sh\n")
    (environment / "bin/python").chmod(0o755)
    (environment / "pyvenv.cfg").write_text(f"home = {home.format(private=private)}\n")
    with pytest.raises(StartError):
        look_at_interpreter(str(environment / "bin/python"))


def test_a_program_that_is_no_python(tmp_path):
    """A program with no standard library above it is refused in a sentence."""
    program = tmp_path / "kernel"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(StartError, match="no Python with its standard library"):
        look_at_interpreter(str(program))


@pytest.mark.parametrize("name", ["python3", "/usr/bin/python3", "/bin/python3"])
def test_the_systems_python(name, monkeypatch):
    """The system's Python is found by name and through /bin, which is a link on most systems."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "/usr" in paths(look_at_interpreter(name))
    assert "/" not in paths(look_at_interpreter(name))


@pytest.mark.parametrize("system_packages", ["true", "false"])
def test_user_packages_as_the_environment_says(venv, tmp_path, monkeypatch, system_packages):
    """An environment sees the user's own packages only where it sees the system's."""
    monkeypatch.setattr(site, "getuserbase", lambda: str(tmp_path))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "lib" / version / "site-packages").mkdir(parents=True)
    text = (venv / "pyvenv.cfg").read_text()
    (venv / "pyvenv.cfg").write_text(text.replace("packages = false", f"packages = {system_packages}"))
    try:
        found = look_at_interpreter(str(venv / "bin/python"))
    finally:
        (venv / "pyvenv.cfg").write_text(text)
    assert (found.user_base is not None) == (system_packages == "true")


def test_stores_are_shown_whole(monkeypatch, tmp_path):
    """A prefix in a store, whose programs refer to each other, brings the store along."""
    store = tmp_path / "store"
    prefix = store / "abc-python"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").touch()
    monkeypatch.setattr("sandbox_kernel.host.engines.interpreter.STORES", (str(store),))
    found = describe(str(prefix / "bin/python"), (str(prefix),), "", "")
    assert paths(found) == {str(prefix), str(store)}


def test_user_packages(tmp_path):
    """The user's own packages are shown where they exist, and only they of the user's base."""
    base = tmp_path / ".local"
    packages = base / "lib/python3/site-packages"
    absent = describe(sys.executable, (sys.prefix,), str(base), str(packages))
    assert absent.user_base is None
    packages.mkdir(parents=True)
    found = describe(sys.executable, (sys.prefix,), str(base), str(packages))
    assert found.user_base == str(base)
    assert str(packages) in paths(found)
    assert str(base) not in paths(found)


def test_what_a_prefix_keeps_private(tmp_path):
    """Package index passwords and Jupyter's settings below a prefix are found."""
    (tmp_path / "pip.conf").touch()
    (tmp_path / "etc/jupyter").mkdir(parents=True)
    found = describe(sys.executable, (str(tmp_path),), "", "")
    assert set(found.private) == {(f"{tmp_path}/pip.conf", False), (f"{tmp_path}/etc/jupyter", True)}


def test_environments_for_their_owner_only_are_named(tmp_path):
    """Root's sandboxes are not root: an environment that only root may read is refused with the cure."""
    private = tmp_path / "env"
    private.mkdir(mode=0o700)
    program = tmp_path / "python"
    program.touch(mode=0o755)
    found = describe(str(program), (str(private),), "", "")
    with pytest.raises(StartError, match=f"chmod -R go.rX {private}$"):
        require_open_to_all(found)
    private.chmod(0o755)
    require_open_to_all(found)
