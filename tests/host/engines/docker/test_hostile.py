"""Attacks on the container engine that have worked once."""

import os
import secrets
from pathlib import Path

import pytest

from sandbox_kernel.errors import DaemonGoneError, WorkspaceError
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.facts import read_image
from sandbox_kernel.host.engines.docker.grants import Bind, Granted, grant
from sandbox_kernel.host.engines.docker.leftovers import KERNEL
from sandbox_kernel.host.engines.docker.mounted import require_as_judged
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.policy import Policy
from tests.host.engines.docker.machines import facts, image


def granted(directory, product):
    launch = Launch(("python3",), Path(directory), "0" * 16)
    return grant(Policy(), launch, Address("docker", "unix:///run/d.sock", "tests"), facts(product=product))


@pytest.mark.parametrize("name", ["a,source=", 'a"', "a\nb", "a\rb"])
def test_a_folder_s_name_is_no_mount_option(folder, name):
    """Podman's service joins a mount's fields with commas: the last source wins."""
    inner = folder / name / "etc"
    inner.mkdir(parents=True)
    with pytest.raises(WorkspaceError, match="Podman cannot mount"):
        granted(inner, "Podman")
    assert granted(inner, "Docker").binds


def test_neither_is_that_of_a_pipe_that_code_has_left(folder):
    """Its cover would mount any folder of the machine, and with `U` have it changed hands."""
    place = folder / "x,source=" / "root,U=true,dst=" / "tmp"
    place.mkdir(parents=True)
    os.mkfifo(place / "pipe")
    with pytest.raises(WorkspaceError, match="Podman cannot mount"):
        granted(folder, "Podman")


def test_podman_s_copies_of_the_host_s_names_are_masked():
    """Its name server, the machines that /etc/hosts knows, and its own address."""

    def options(product):
        daemon = facts(product=product)
        body = container(Policy(), image(), daemon, Granted(), Run((), {}), seccomp="list")
        return body["HostConfig"]["SecurityOpt"]

    assert "mask=/etc/hosts:/etc/resolv.conf" in options("Podman")
    assert not any(option.startswith("mask") for option in options("Docker"))


def test_no_spelling_of_a_volume_puts_it_on_the_disk():
    """Docker makes one for /data/ below what covers /data/, and writes the image's files into it."""
    config = {"Volumes": dict.fromkeys(["/data/", "/a/../b", "c", "//d"])}
    assert read_image("x", {"Id": "1", "Config": config}).volumes == ("/b", "/c", "/d", "/data")


@pytest.fixture
def proc(tmp_path):
    """A /proc with a container's first process (5) and our own, both with a folder's mount."""

    def write(outside, inside, cgroup="/docker/abc"):
        for pid, mounts in (("self", outside), ("5", inside)):
            (tmp_path / pid).mkdir()
            lines = [f"1 2 {device} {path} {point} rw - x y z\n" for device, path, point in mounts]
            (tmp_path / pid / "mountinfo").write_text("".join(lines))
        (tmp_path / "5" / "cgroup").write_text(f"4:memory:{cgroup}\n")
        return tmp_path

    return write


OUTSIDE = [("8:1", "/", "/"), ("8:2", "/@home", "/home")]


@pytest.mark.parametrize(
    ("source", "place"),
    [("/srv/a", ("8:1", "/srv/a")), ("/home/a b", ("8:2", r"/@home/a\040b")), ("/home", ("8:2", "/@home"))],
)
def test_what_was_judged_may_be_mounted(proc, source, place):
    """Also from a file system that is mounted on the way, with a blank, and below a link of the image."""
    found = proc(OUTSIDE, [("0:9", "/", "/"), (*place, "/n")])
    require_as_judged([Bind(source, "/n", False)], "abc", 5, found)
    require_as_judged([Bind(source, "/link/n", False)], "abc", 5, found)


def test_a_folder_exchanged_for_a_link_is_no_grant(proc):
    """Code in another sandbox with the folder above won 3 of 15 races, and had /etc/ssh mounted."""
    exchanged = proc(OUTSIDE, [("0:9", "/", "/"), ("8:1", "/etc/ssh", "/home/a")])
    with pytest.raises(WorkspaceError, match="was changed"):
        require_as_judged([Bind("/home/a", "/home/a", False)], "abc", 5, exchanged)


def test_a_process_that_is_not_the_container_s_says_that_the_daemon_is_elsewhere(proc):
    """Its folders may be others, too; a rootless daemon is known to count otherwise, on the same files."""
    other = proc(OUTSIDE, [("8:1", "/", "/")], cgroup="/user")
    binds = [Bind("/home/a", "/home/a", False)]
    with pytest.raises(WorkspaceError, match="workspace none"):
        require_as_judged(binds, "abc", 5, other)
    require_as_judged(binds, "abc", 5, other, hidden=True)
    require_as_judged(binds, "abc", 6, other)  # it has ended


def test_a_container_whose_making_nobody_heard_of_is_removed(place, directory, monkeypatch):
    """The daemon made it, and the connection broke before it could say so."""
    create = Daemon.create

    def lose(daemon, name, settings):
        create(daemon, name, settings)
        raise DaemonGoneError("The line went dead.")

    monkeypatch.setattr(Daemon, "create", lose)
    launch = Launch(("python3",), directory, secrets.token_hex(8))
    with pytest.raises(DaemonGoneError):
        place.engine.start(place.policy(), launch)
    assert not place.daemon.containers(f"{KERNEL}={launch.name}")


def test_an_end_that_code_inside_brings_about_is_not_somebody_else_s(docker, directory):
    """PID 1 can be given a limit by its equals; Linux ends it with SIGKILL."""
    kernel = docker.start(directory)
    code = "import resource\nresource.prlimit(1, resource.RLIMIT_CPU, (0, 0))\nwhile True: print('x' * 999)"
    kernel.client.execute(code)
    assert "by code inside" in kernel.sandbox.ended.result(timeout=60).sentence
