import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import most_files, read_facts, read_image
from tests.host.engines.docker.machines import facts

HERE = Address("docker", "unix:///run/d.sock", "tests")
AWAY = Address("docker", "tcp://d:2376", "tests")


def info(**changes):
    host = os.uname()
    return {
        "Name": host.nodename,
        "KernelVersion": host.release,
        "MemoryLimit": True,
        "SwapLimit": True,
        "PidsLimit": True,
        "CpuCfsQuota": True,
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
        "Runtimes": {"runsc": {}, "runc": {}},
        "DefaultRuntime": "runc",
        "CgroupVersion": "2",
        **changes,
    }


def test_an_ordinary_daemon():
    """All that sandboxes need is there."""
    facts = read_facts(HERE, {"Version": "28.0", "Components": [{"Name": "Engine"}]}, info())
    assert (facts.product, facts.version, facts.local) == ("Docker", "28.0", True)
    assert all((facts.memory, facts.swap, facts.pids, facts.cpus, facts.seccomp))
    assert not any((facts.rootless, facts.userns, facts.podman))
    assert facts.runtimes == ("runc", "runsc")
    assert facts.confined
    assert [facts.is_gvisor(name) for name in ("runsc", "/usr/bin/runsc-kvm", None)] == [True, True, False]


LISTENING = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print(flush=True)
sys.stdin.read()
"""


def test_how_many_files_a_daemon_may_grant(tmp_path):
    """It is its own limit, but for who may raise limits: then it is the kernel's."""
    path = str(tmp_path / "d.sock")
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as daemon:
        daemon.stdout.readline()
        assert most_files(path, rootless=True) == 150
        assert most_files(path, rootless=False) in (150, int(Path("/proc/sys/fs/nr_open").read_text()))
        daemon.stdin.close()
    assert most_files(path, rootless=True) is None  # nobody listens there any more


@pytest.mark.parametrize(
    ("wanted", "runtimes", "got"),
    [
        (None, ("runc",), "runc"),
        ("gvisor", ("runc", "runsc"), "runsc"),
        ("kata", ("kata-runtime", "runc"), "kata-runtime"),
        ("kata", ("io.containerd.kata.v2", "runc"), "io.containerd.kata.v2"),
        ("kata", ("kata", "kata-runtime"), "kata"),
        ("kata", ("runc",), "kata"),
        ("kata-qemu", ("kata", "kata-qemu"), "kata-qemu"),
    ],
)
def test_families_of_runtimes_have_one_name(wanted, runtimes, got):
    """Whatever the daemon calls it, gvisor and kata find it; nothing else stands in for them."""
    assert facts(runtimes=runtimes).runtime(wanted) == got


@pytest.mark.parametrize(
    ("wanted", "here", "known"),
    [
        ("io.containerd.kata.v2", {}, True),
        ("io.containerd.kata.v2", {"version": "20.10.24+dfsg1"}, False),
        ("io.containerd.kata.v2", {"product": "Podman"}, False),
        ("io.containerd.kata", {}, False),
        ("kata", {}, False),
        ("runsc", {}, True),
    ],
)
def test_dockers_of_today_find_a_runtime_by_its_long_name(wanted, here, known):
    """Docker asks containerd for it, which refuses what is not installed."""
    assert facts(**here).has_runtime(wanted) is known


def test_long_names_are_recognised():
    """What a runtime is does not depend on how it is named."""
    assert facts().is_gvisor("io.containerd.runsc.v1")
    assert [
        facts().is_kata(name) for name in ("io.containerd.kata.v2", "/opt/kata/bin/kata-runtime", "runc")
    ] == [
        True,
        True,
        False,
    ]


def test_what_it_is_made_of():
    """The versions of its parts are kept: some have known holes."""
    components = [{"Name": "Engine", "Version": "28.0"}, {"Name": "runc", "Version": "1.1.5+ds1"}]
    assert read_facts(HERE, {"Components": components}, info()).components["runc"] == "1.1.5+ds1"


def test_a_daemon_that_says_nothing_can_nothing():
    """What is not said to be there is not."""
    facts = read_facts(HERE, {}, {})
    assert not any((facts.memory, facts.swap, facts.pids, facts.cpus, facts.seccomp, facts.local))


@pytest.mark.parametrize(
    ("address", "changes"),
    [
        (AWAY, {}),
        (Address("docker", "ssh://d", "tests"), {}),
        (HERE, {"Name": "other"}),
        (HERE, {"KernelVersion": "0.1"}),
    ],
)
def test_elsewhere(address, changes):
    """A daemon is here only if its socket is, and if it is the same machine at the other end of it."""
    assert not read_facts(address, {}, info(**changes)).local


@pytest.mark.parametrize(
    ("changes", "rootless", "userns"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=userns"]}, False, True),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, True, True),
        ({"Rootless": True}, True, True),
    ],
)
def test_whose_numbers(changes, rootless, userns):
    """Remapped users and rootless daemons are recognised."""
    facts = read_facts(HERE, {}, info(**changes))
    assert (facts.rootless, facts.userns) == (rootless, userns)


def test_podman_by_another_name():
    """It is what answers that counts, not what the socket is called."""
    assert read_facts(HERE, {"Components": [{"Name": "Podman Engine"}]}, info()).podman


@pytest.mark.parametrize("product", ["Podman Engine", "Engine"])
def test_podman_is_not_believed_to_have_all_that_it_lists(tmp_path, product):
    """It lists every runtime it has heard of, Kata too, with the place where that would be."""
    there = tmp_path / "crun"
    there.touch()
    listed = {"crun": {"path": str(there)}, "kata": {"path": str(tmp_path / "kata-runtime")}, "odd": None}
    told = info(Runtimes=listed, DefaultRuntime="crun")
    found = read_facts(HERE, {"Components": [{"Name": product}]}, told).runtimes
    assert found == (("crun",) if product == "Podman Engine" else ("crun", "kata", "odd"))


def test_an_image():
    """Nothing of its configuration need be there."""
    assert read_image("x", {"Id": "1"}).path.startswith("/usr/local/sbin:")
    config = {"Env": ["PATH=/a", "E=b=c"], "Volumes": {"/v": {}}, "Labels": {"org.sandbox-kernel.guest": "g"}}
    image = read_image("x", {"Id": "1", "Config": config})
    assert (image.path, image.environment["E"], image.volumes, image.guest) == ("/a", "b=c", ("/v",), "g")
    empty = read_image("x", {"Id": "1", "Config": {"Env": None, "Volumes": None, "Labels": None}})
    assert (empty.environment, empty.volumes, empty.guest) == ({}, (), "")
