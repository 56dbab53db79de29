"""The whole table from a policy to a container's settings, without a daemon."""

import pytest

from sandbox_kernel.host.engines.docker.grants import Bind, Granted
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.policy import Policy
from tests.host.engines.docker.machines import facts, image

MiB = 1 << 20


def settings(policy=None, picture=None, machine=None, granted=None):
    return container(
        policy or Policy(),
        picture or image(),
        machine or facts(),
        granted or Granted((), 1000, 100),
        Run(("python3", "guest"), {"owner": "me"}),
        seccomp="{}",
    )


def host(*arguments, **changes):
    return settings(*arguments, **changes)["HostConfig"]


FIELDS = {
    "Entrypoint": ["python3", "guest"],
    "Cmd": [],
    "Image": "sha256:1",
    "User": "1000:100",
    "WorkingDir": "/",
    "Hostname": "sandbox",
    "Labels": {"owner": "me"},
    "Tty": False,
    "OpenStdin": True,
    "StdinOnce": True,
    "NetworkDisabled": True,
    "Healthcheck": {"Test": ["NONE"]},
    "StopSignal": "SIGKILL",
}
HOST_FIELDS = {
    "NetworkMode": "none",
    "ReadonlyRootfs": True,
    "Privileged": False,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges", "seccomp={}"],
    "OomKillDisable": False,
    "IpcMode": "private",
    "CgroupnsMode": "private",
    "Init": False,
    "LogConfig": {"Type": "none", "Config": {}},
    "RestartPolicy": {"Name": "no"},
    "AutoRemove": True,
    "Mounts": [],
    "Dns": ["127.0.0.1"],
}


@pytest.mark.parametrize(("name", "value"), FIELDS.items(), ids=FIELDS)
def test_walls_do_not_depend_on_the_policy(name, value):
    """What keeps the wall up is the same whatever is granted."""
    assert settings()[name] == settings(Policy.from_settings({"profile": "strict"}))[name] == value


@pytest.mark.parametrize(("name", "value"), HOST_FIELDS.items(), ids=HOST_FIELDS)
def test_walls_of_the_host_do_not_depend_on_the_policy(name, value):
    """The same for what Docker keeps elsewhere."""
    assert host()[name] == value


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"memory": 300 * MiB}, {"Memory": 300 * MiB, "MemorySwap": 300 * MiB}),
        ({"cpus": 0.5}, {"NanoCpus": 500_000_000}),
        ({"cpus": 1.1}, {"NanoCpus": 1_100_000_000}),
        ({"pids": 77}, {"PidsLimit": 77}),
        ({"tmp": 20 * MiB}, {"ShmSize": 20 * MiB}),
        ({"engine": "docker", "runtime": "runsc"}, {"Runtime": "runsc"}),
    ],
)
def test_each_limit_reaches_its_field(change, expected):
    """A limit of the policy is exactly that of the container."""
    assert expected.items() <= host(Policy(**change)).items()


def test_a_runtime_is_named_only_on_demand():
    """Else it is the daemon's own choice."""
    assert "Runtime" not in host()
    assert host(Policy(runtime="gvisor"))["Runtime"] == "runsc"


def test_limits_of_each_process():
    """Open files as the policy says; no core files; next to nothing of what no group counts."""
    limits = {entry["Name"]: (entry["Soft"], entry["Hard"]) for entry in host(Policy(files=333))["Ulimits"]}
    assert limits["nofile"] == (333, 333)
    assert limits["core"] == (0, 0)
    assert limits.keys() == {"nofile", "core", "memlock", "msgqueue"}


@pytest.mark.parametrize(("profile", "run"), [("default", "exec"), ("strict", "noexec")])
def test_directories_in_memory(profile, run):
    """Each has a size and a number of files, belongs to who runs inside, and holds no devices."""
    places = host(Policy.from_settings({"tmp": 40 * MiB, "profile": profile}))["Tmpfs"]
    assert places.keys() == {"/tmp", "/home/sandbox", "/run/sandbox/runtime"}
    for options in places.values():
        words = options.split(",")
        assert {"nosuid", "nodev", "uid=1000", "gid=100"} <= set(words)
    for path in ("/tmp", "/home/sandbox"):
        assert {f"size={40 * MiB}", f"nr_inodes={40 * MiB // 4096}", run} <= set(places[path].split(","))
    assert "noexec" in places["/run/sandbox/runtime"].split(",")


def test_what_an_image_declares_is_overruled():
    """Volumes are covered, its environment is taken away from PID 1; PATH alone is its own."""
    picture = image(
        environment={"PATH": "/opt/x", "LD_PRELOAD": "/evil.so", "LANG": "tlh"}, volumes=("/data",)
    )
    body = settings(picture=picture)
    assert body["Env"] == ["PATH=/opt/x", "LANG=C.UTF-8", "LD_PRELOAD"]
    assert f"size={Policy().tmp}" in body["HostConfig"]["Tmpfs"]["/data"]
    assert "Volumes" not in body


def test_grants_are_mounted_alone():
    """A mount takes nothing that is mounted below it along, and changes later do not reach it."""
    granted = Granted((Bind("/real", "/named", False), Bind("/w", "/w", True)), 1, 1)
    mounts = host(granted=granted)["Mounts"]
    assert [(m["Type"], m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("bind", "/real", "/named", True),
        ("bind", "/w", "/w", False),
    ]
    assert all(m["BindOptions"] == {"Propagation": "rprivate", "NonRecursive": True} for m in mounts)


def test_a_closed_home_is_opened_for_what_lies_below():
    """A notebook below /root is reached although images keep /root closed; it is read-only and tiny."""
    assert "/root" not in host()["Tmpfs"]
    options = host(granted=Granted((Bind("/root/n", "/root/n", False),), 1, 1))["Tmpfs"]["/root"]
    assert options.startswith("ro,")
    assert "mode=755" in options


def test_podman_gets_what_it_knows():
    """No option that it refuses, limits for what it adds, a number of processes that it may set."""
    config = host(machine=facts(product="Podman"))
    assert not any("nr_inodes" in options or "uid=" in options for options in config["Tmpfs"].values())
    assert {"/run", "/var/tmp"} <= config["Tmpfs"].keys()
    assert {"Name": "nproc", "Soft": 1000, "Hard": 1000} in config["Ulimits"]
    assert "Dns" not in config
    assert "UsernsMode" not in config
    assert host(machine=facts(product="Podman", rootless=True))["UsernsMode"] == "keep-id"


def test_more_processors_than_there_are():
    """A limit beyond what the machine has is kept by nature; Docker refuses to be told."""
    for asked, told in ((2.5, 2.5), (64.0, 4.0)):
        body = settings(Policy(cpus=asked))
        assert body["HostConfig"]["NanoCpus"] == told * 1e9


@pytest.mark.parametrize(("pids", "limit"), [(100, 8 * 100 + 512), (4_194_304, 4_194_304)])
def test_gvisor_s_own_processes_are_bounded_too(pids, limit):
    """It has some for each inside; and no control group takes a limit above what Linux has."""
    assert host(Policy(runtime="gvisor", pids=pids))["PidsLimit"] == limit
