import pytest

from sandbox_kernel.errors import EngineUnavailableError, LimitUnenforceableError
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.report import report, require_limits
from sandbox_kernel.policy import Policy
from tests.host.engines.docker.machines import facts, image

ADDRESS = Address("docker", "unix:///d.sock", "tests")


def entries(policy=None, **changes):
    found = report(policy or Policy(), facts(**changes), image(), ADDRESS)
    return {entry.limit: entry for entry in found}


@pytest.mark.parametrize("lacking", ["memory", "swap", "pids", "cpus", "seccomp"])
def test_a_daemon_that_would_run_without_a_limit_is_refused(lacking):
    """Each is named, with what to do."""
    with pytest.raises(LimitUnenforceableError, match=lacking):
        require_limits(Policy(), facts(**{lacking: False}))


def test_podman_on_another_machine_is_refused():
    """It takes the list of system calls by its path, which is one of this machine."""
    with pytest.raises(EngineUnavailableError, match="use Docker there"):
        require_limits(Policy(), facts(product="Podman", local=False))


def test_an_unknown_runtime_is_refused():
    """There is no falling back to another one."""
    with pytest.raises(EngineUnavailableError, match="no runtime kata, only runc, runsc"):
        require_limits(Policy(engine="docker", runtime="kata"), facts())


@pytest.mark.parametrize(
    ("runtime", "here", "words"),
    [
        ("kata", {}, "install Kata Containers"),
        ("io.containerd.kata.v2", {"version": "20.10"}, "runtimeType"),
        ("runsc", {"runtimes": ("runc",)}, "runsc install"),
        ("gvisor", {"runtimes": ("runc",)}, "runsc install"),
        ("kata", {"product": "Podman"}, "containers.conf"),
        ("nothing", {}, "add it to the daemon's configuration"),
    ],
)
def test_a_missing_runtime_is_named_with_how_to_get_it(runtime, here, words):
    """Each family has a way of its own."""
    with pytest.raises(EngineUnavailableError, match=words):
        require_limits(Policy(engine="docker", runtime=runtime), facts(**here))


def test_more_files_than_the_daemon_may_grant_are_refused():
    """The most is named; who is not seen, or has a kernel for it of its own, is asked."""
    policy = Policy(engine="docker", files=1001)
    with pytest.raises(LimitUnenforceableError, match=r"'files' is 1001, .+ at most 1000:"):
        require_limits(policy, facts(files=1000))
    for here in ({"files": 1001}, {"files": None}):
        require_limits(policy, facts(**here))
    require_limits(Policy(engine="docker", files=1001, runtime="runsc"), facts(files=1000))


def test_kata_has_a_kernel_of_its_own():
    """In a virtual machine; so says the line on system calls."""
    found = entries(Policy(engine="docker", runtime="kata"), runtimes=("kata", "runc"))
    assert found["system calls"].by == "kata"


def test_everything_is_kept_on_an_ordinary_daemon():
    """Each limit of the policy has its line, and is enforced."""
    found = entries()
    assert {"memory", "cpus", "pids", "tmp", "files", "network", "workspace"} <= found.keys()
    assert all(entry.by and not entry.weak for entry in found.values())


def test_users():
    """Rootless daemons and remapped users are shown; so is that there are neither."""
    assert "rootless" in entries(rootless=True, userns=True)["user"].detail
    assert "userns-remap" in entries(userns=True)["user"].detail
    assert entries()["user"].by == "uid"


def test_elsewhere_a_workspace_cannot_be_shown():
    """It is the one thing that a daemon on another machine cannot keep."""
    assert entries(local=False)["workspace"].by is None
    assert entries(Policy(workspace="none"), local=False)["workspace"].by


def test_gvisor_has_its_own_kernel():
    """What it keeps in another way, or less well, is said."""
    found = entries(Policy(engine="docker", runtime="runsc"))
    assert found["system calls"].by == "gvisor"
    assert found["tmp"].weak


def test_the_image():
    """Whether it carries our guest is said."""
    carrying = report(Policy(), facts(), image(guest=guest.label()), ADDRESS)
    assert "carries this version's guest" in carrying[-1].detail
    assert "sent at each start" in entries()["image"].detail
