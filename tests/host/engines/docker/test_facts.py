import os

import pytest

from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import read_facts, read_image

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
    assert [facts.is_gvisor(name) for name in ("runsc", "/usr/bin/runsc-kvm", None)] == [True, True, False]


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


def test_an_image():
    """Nothing of its configuration need be there."""
    assert read_image("x", {"Id": "1"}).path.startswith("/usr/local/sbin:")
    config = {"Env": ["PATH=/a", "E=b=c"], "Volumes": {"/v": {}}, "Labels": {"org.sandbox-kernel.guest": "g"}}
    image = read_image("x", {"Id": "1", "Config": config})
    assert (image.path, image.environment["E"], image.volumes, image.guest) == ("/a", "b=c", ("/v",), "g")
    empty = read_image("x", {"Id": "1", "Config": {"Env": None, "Volumes": None, "Labels": None}})
    assert (empty.environment, empty.volumes, empty.guest) == ({}, (), "")
