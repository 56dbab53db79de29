"""Containers as they really are: compared with the policy from outside and from inside.

`no_leftovers` comes first among the arguments: it counts when all kernels have been ended.
"""

import contextlib
import io
import os
import tarfile
import time
from types import SimpleNamespace

import pytest
from docker.errors import APIError

from sandbox_kernel.errors import EngineUnavailableError, LimitUnenforceableError, StartError
from sandbox_kernel.host.engines.docker import engine as engine_module
from sandbox_kernel.host.engines.docker import grants
from sandbox_kernel.host.engines.docker.engine import _require_unwarned
from sandbox_kernel.host.engines.docker.settings import host_pids
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import PATIENCE

MiB = 1 << 20

DECLARING = b"""
FROM sandbox-kernel/python
LABEL org.sandbox-kernel.guest=other
ENV LD_PRELOAD=/evil.so PYTHONPATH=/evil KEPT=yes
VOLUME /data
USER 0
WORKDIR /proc/self/fd/8
ENTRYPOINT ["/bin/false"]
CMD ["false"]
HEALTHCHECK CMD true
STOPSIGNAL 19
"""
"""An image that says all it can about how it wants to be run, and carries no guest that we know."""


@pytest.fixture
def declaring(place):
    """That image, on the daemon."""
    name = "sandbox-kernel-test/declaring"
    for event in place.daemon.client.build(fileobj=io.BytesIO(DECLARING), tag=name, rm=True, decode=True):
        assert "error" not in event, event
    yield name
    place.daemon.client.remove_image(name, force=True)


@pytest.fixture
def empty(place):
    """An image with no program in it."""
    name = "sandbox-kernel-test/empty"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    place.daemon.client.import_image_from_data(content.getvalue(), repository=name, tag="latest")
    yield name
    place.daemon.client.remove_image(name, force=True)


def test_the_container_is_what_the_policy_says(no_leftovers, place, directory):
    """`inspect`, field by field."""
    policy = place.policy(memory=300 * MiB, cpus=0.7, pids=150, tmp=32 * MiB, files=400)
    kernel = place.start(directory, policy)
    found = place.container(kernel)
    config, host = found["Config"], found["HostConfig"]
    assert config["User"] == (
        f"{grants.NOBODY}:{grants.NOBODY}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"
    )
    image = kernel.sandbox.provenance["image_id"]
    assert image.startswith("sha256:")
    assert image.removeprefix("sha256:") == found["Image"].removeprefix("sha256:")
    assert (config["Tty"], config["OpenStdin"]) == (False, True)
    assert config["StdinOnce"] or place.name == "podman"  # which does not tell
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (300 * MiB, 300 * MiB, 700_000_000)
    assert host["PidsLimit"] == host_pids(policy, place.daemon.facts())
    assert host["ShmSize"] == 32 * MiB
    assert (host["ReadonlyRootfs"], host["Privileged"], host["AutoRemove"]) == (True, False, True)
    assert host["NetworkMode"] == "none"
    assert host["IpcMode"] == ("shareable" if place.name == "podman" else "private")  # shared with nobody
    assert host["LogConfig"]["Type"] == "none"
    assert not found.get("LogPath")
    assert host["RestartPolicy"]["Name"] in {"", "no"}
    assert {"ALL", "CHOWN", "CAP_CHOWN"} & set(host["CapDrop"])
    assert not host["CapAdd"]
    assert not host["Devices"]
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert any("seccomp" in option for option in host["SecurityOpt"])
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    limits = {each["Name"].removeprefix("RLIMIT_").lower(): each["Hard"] for each in host["Ulimits"]}
    assert (limits["nofile"], limits["core"]) == (400, 0)
    assert [(m["Source"], m["Destination"], m["RW"]) for m in found["Mounts"] if m["Type"] == "bind"] == [
        (str(directory), str(directory), False)
    ]
    assert host["Tmpfs"].keys() >= {"/tmp", "/home/sandbox", "/run/sandbox/runtime"}
    secrets = [value for name, value in os.environ.items() if len(value) > 8 and name not in {"PATH", "LANG"}]
    assert not [entry for entry in config["Env"] for value in secrets if value in entry]
    if place.name == "gvisor":
        assert host["Runtime"] == "runsc"


INSIDE = """
import os, resource, pathlib
def read(*paths):
    for path in paths:
        path = pathlib.Path("/sys/fs/cgroup", path)
        if path.exists():
            return path.read_text().split()
    return []
size = lambda path: (lambda s: s.f_blocks * s.f_frsize)(os.statvfs(path))
print({
    "memory": read("memory.max", "memory/memory.limit_in_bytes"),
    "pids": read("pids.max", "pids/pids.max"),
    "cpu": read("cpu.max") or [*read("cpu/cpu.cfs_quota_us"), *read("cpu/cpu.cfs_period_us")],
    "processes": resource.getrlimit(resource.RLIMIT_NPROC)[0],
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "tmp": size("/tmp"), "home": size("/home/sandbox"), "shm": size("/dev/shm"),
    "user": (os.getuid(), os.getgid(), os.getgroups()),
    "pid 1": pathlib.Path("/proc/1/status").exists(),
    "swap": read("memory.swap.max", "memory/memory.memsw.limit_in_bytes"),
})
"""


@pytest.mark.parametrize("profile", ["default", "strict"])
def test_limits_are_in_force_inside(place, directory, profile):
    """Read back from inside, each equals the policy."""
    policy = place.policy(profile=profile, memory=256 * MiB, cpus=0.5, pids=120, tmp=16 * MiB, files=300)
    found = eval(place.start(directory, policy).run(INSIDE).text())
    if place.name == "gvisor":  # its control groups are not the container's
        assert found["processes"] == 120
    else:
        assert (found["memory"], found["pids"]) == ([str(256 * MiB)], ["120"])
        assert int(found["cpu"][0]) / int(found["cpu"][1]) == 0.5
        assert found["swap"] in (["0"], [str(256 * MiB)])
    assert (found["files"], found["core"]) == ((300, 300), (0, 0))
    assert (found["tmp"], found["home"], found["shm"]) == (16 * MiB, 16 * MiB, 16 * MiB)
    assert 0 not in (*found["user"][:2], *found["user"][2])


def test_an_image_cannot_say_how_it_is_run(no_leftovers, place, directory, declaring):
    """User, entry point, directory, volumes, PID 1's environment: ours. The kernel's: the image's, too."""
    kernel = place.start(directory, place.policy(image=declaring))
    assert kernel.value("__import__('os').getuid()") != "0"
    assert kernel.value("__import__('os').environ['KEPT']") == "yes"
    assert kernel.value("__import__('os').getcwd()") == str(directory)
    assert (
        kernel.value("[line.split()[2] for line in open('/proc/mounts') if ' /data ' in line]") == "['tmpfs']"
    )
    found = place.container(kernel)
    assert not [each for each in found["Mounts"] if each["Type"] == "volume"]
    assert "LD_PRELOAD=/evil.so" not in found["Config"]["Env"]
    kernel.close()
    assert not place.daemon.client.volumes()["Volumes"]


def test_an_image_without_python_is_named(no_leftovers, place, directory, empty):
    """One sentence, and no container is left."""
    kernel = place.start(directory, place.policy(image=empty), wait=False)
    with pytest.raises(StartError, match="has no python3"):
        kernel.started.result(timeout=PATIENCE)
    kernel.close()
    assert place.container(kernel) is None


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sandbox-kernel/scipy:none", "sandbox-kernel image build scipy"),
        ("sandbox-kernel/scipi", "sandbox-kernel image list"),
        ("no/such:1", "pull no/such:1"),
    ],
)
def test_a_missing_image_is_not_pulled(place, directory, name, advice):
    """It says how the image gets there."""
    kernel = place.start(directory, place.policy(image=name), wait=False)
    with pytest.raises(EngineUnavailableError, match=advice):
        kernel.started.result(timeout=PATIENCE)


def test_an_image_cannot_speak_for_its_containers_end(place, directory):
    """Daemons tell an image's labels in the place of an exit code: such an image is refused."""
    name = "sandbox-kernel-test/misleading"
    recipe = b"FROM sandbox-kernel/python\nLABEL exitCode=137\n"
    for event in place.daemon.client.build(fileobj=io.BytesIO(recipe), tag=name, rm=True, decode=True):
        assert "error" not in event, event
    try:
        with pytest.raises(EngineUnavailableError, match="label exitCode"):
            place.start(directory, place.policy(image=name), wait=False).started.result(timeout=PATIENCE)
    finally:
        place.daemon.client.remove_image(name, force=True)


def test_an_image_that_changes_while_podman_looks(docker, monkeypatch):
    """Podman looks twice, and answers with a failure of its own if the image is another one by then."""
    look, failure = docker.daemon.client.inspect_image, SimpleNamespace(status_code=500, url="", reason="")
    failures = [APIError("", failure, "locating image: image not known")]

    def look_badly(name):
        if failures:
            raise failures.pop()
        return look(name)

    monkeypatch.setattr(docker.daemon.client, "inspect_image", look_badly)
    assert docker.daemon.image("sandbox-kernel/python") is not None
    assert not failures


@pytest.mark.parametrize("how", ["kill", "remove"])
def test_a_container_that_somebody_else_ends(no_leftovers, place, directory, how):
    """The cell says that it was somebody else."""
    kernel = place.start(directory)
    identifier = place.container(kernel)["Id"]
    asked = kernel.client.execute("import time; time.sleep(60)")
    if how == "kill":
        with contextlib.suppress(APIError):  # Podman looks at it once more, and it may have gone by then
            place.daemon.client.kill(identifier)
    else:
        place.daemon.client.remove_container(identifier, force=True)
    words = kernel.collect(asked, until_idle=False).reply["content"]["evalue"]
    assert "Somebody else" in words or "killed from outside" in words
    assert kernel.sandbox.ended.result(timeout=PATIENCE).kind == "lost"
    assert place.container(kernel) is None


def test_a_frozen_container_is_ended_all_the_same(no_leftovers, place, directory):
    """PID 1 need not do anything for it."""
    kernel = place.start(directory)
    place.daemon.client.pause(place.container(kernel)["Id"])
    kernel.close()
    deadline = time.monotonic() + PATIENCE
    while place.container(kernel) is not None:  # a busy daemon removes it in its own time
        assert time.monotonic() < deadline


@pytest.mark.skipif(os.geteuid() != 0, reason="engine docker: only root can hand a folder to somebody else")
def test_a_writable_folder_is_its_owners(place, directory):
    """What is written belongs to the folder's owner, who is also who runs inside."""
    os.chown(directory, 1234, 1234)
    kernel = place.start(directory, place.policy(workspace="rw"))
    kernel.run("open('made', 'w').write('x')")
    status = (directory / "made").stat()
    assert (status.st_uid, status.st_gid) == (1234, 1234)


def test_the_hosts_python_cannot_be_replaced(place, directory, monkeypatch):
    """Neither written to, nor moved away together with the folder that it is in."""
    venv = directory / "project" / ".venv"
    venv.mkdir(parents=True)
    for path in (directory, venv.parent, venv):
        path.chmod(0o777)
    monkeypatch.setattr(grants, "_environments", lambda launch: [str(venv)])
    kernel = place.start(directory, place.policy(workspace="rw"))
    assert kernel.run("open('project/.venv/python', 'w')").status == "error"
    assert kernel.run("import os; os.rename('project', 'elsewhere')").status == "error"
    assert kernel.run("open('project/fine', 'w')").status == "ok"
    assert sorted(os.listdir(directory)) == ["project"]
    assert os.listdir(venv) == []


def test_a_socket_in_the_folder_leads_nowhere(place, directory):
    """Code inside sees something there, and cannot connect to it."""
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(directory / "agent"))
        listening.listen()
        (directory / "agent").chmod(0o777)
        kernel = place.start(directory)
        code = "import socket; socket.socket(socket.AF_UNIX).connect('agent')"
        assert kernel.run(code).reply["content"]["ename"] in {"ConnectionRefusedError", "PermissionError"}


def test_warnings_are_refusals(no_leftovers, docker, directory, monkeypatch):
    """A daemon that would drop a limit with a warning gets no container of ours; none is left."""
    with pytest.raises(LimitUnenforceableError, match="swap"):
        _require_unwarned(("Your kernel does not support swap limit capabilities.",))
    monkeypatch.setattr(engine_module, "_require_unwarned", lambda _: _require_unwarned(("No swap limit.",)))
    kernel = docker.start(directory, wait=False)
    with pytest.raises(LimitUnenforceableError):
        kernel.started.result(timeout=PATIENCE)
    assert docker.container(kernel) is None


def test_docker_is_not_taken_for_podman(docker_host, directory, monkeypatch):
    """Who asks for Podman gets Podman, whatever DOCKER_HOST names."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    with pytest.raises(EngineUnavailableError, match="not Podman; name Podman's socket with CONTAINER_HOST"):
        engine_module.DockerEngine("podman").check(Policy(engine="podman"))
