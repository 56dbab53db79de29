"""What is said about a bubblewrap that is missing, old or not permitted: with stand-in programs."""

import subprocess
from pathlib import Path

import pytest

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.bubblewrap import bwrap
from sandbox_kernel.host.engines.bubblewrap.identity import trial_identity

ALL = " ".join([*bwrap.NEEDED, "--disable-userns", "--ro-bind-fd", "--bind-fd"])


@pytest.fixture
def stand_in(tmp_path_factory, monkeypatch):
    """Put a program in bubblewrap's place that answers questions and then behaves as told."""

    def install(*, options=ALL, behaviour="exit 0"):
        program = tmp_path_factory.mktemp("bin") / "bwrap"
        for place in program.parents[:4]:  # run by two pytests at a time there is one directory more
            if place.owner() == Path("/proc/self").owner() and "pytest" in str(place):
                place.chmod(0o755)
        program.write_text(
            f'#!/bin/sh\ncase "$1" in --version) echo bubblewrap 0.8.0; exit;; '
            f'--help) echo "{options}"; exit;; esac\n'
            f"{behaviour}\n"
        )
        program.chmod(0o755)
        monkeypatch.setattr(bwrap, "USUAL", (str(program),))

    return install


def find():
    return bwrap.find_bubblewrap(trial_identity())


def test_missing(monkeypatch, tmp_path):
    """Where there is none, the error says how to install it."""
    monkeypatch.setattr(bwrap, "USUAL", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="apt install bubblewrap"):
        find()


def test_too_old(stand_in):
    """One without sized file systems in memory is refused, and the version that has them is named."""
    stand_in(options=ALL.replace("--size", ""))
    with pytest.raises(EngineUnavailableError, match=r"lacks --size.*0\.7"):
        find()


@pytest.mark.parametrize(
    ("complaint", "advice"),
    [
        ("No permissions to create new namespace, likely because", "unprivileged_userns_clone=1"),
        ("setting up uid map: Permission denied", "bwrap-userns-restrict"),
        ("loopback: Failed RTM_NEWADDR: Operation not permitted", "apparmor_restrict_unprivileged_userns=0"),
        ("Creating new namespace failed: No space left on device", "max_user_namespaces"),
        ("nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)", "max_user_namespaces"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("something new", "It said: bwrap: something new"),
    ],
)
def test_not_permitted(stand_in, complaint, advice):
    """Each way in which namespaces are forbidden has its sentence, with bubblewrap's own words."""
    stand_in(behaviour=f'echo "bwrap: {complaint}" >&2; exit 1')
    with pytest.raises(EngineUnavailableError, match=advice) as refusal:
        find()
    assert complaint in str(refusal.value)


def test_a_machine_without_namespaces_for_real():
    """Where the kernel allows no user namespaces, this machine's own bubblewrap says what we listen for."""
    outer = [
        "bwrap",
        "--unshare-user",
        "--disable-userns",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    done = subprocess.run(
        [*outer, "bwrap", "--unshare-user", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "max_user_namespaces" in bwrap._explain(done.stderr)


def test_without_cgroup_namespaces(stand_in):
    """Where the kernel has no cgroup namespaces the rest is used, and said to be without."""
    stand_in(behaviour='case "$*" in *--unshare-cgroup*) exit 1;; esac; exit 0')
    found = find()
    assert (found.nested, found.cgroup) == (True, False)
    assert "--unshare-cgroup" not in found.walls()


def test_without_a_switch_for_nested_namespaces(stand_in):
    """An older bubblewrap cannot switch nested user namespaces off; the filter then does it alone."""
    stand_in(options=ALL.replace("--disable-userns", ""))
    assert (find().nested, find().cgroup) == (False, True)


def test_the_real_one():
    """This machine's bubblewrap makes every wall."""
    walls = " ".join(find().walls())
    for namespace in ("user", "ipc", "pid", "net", "uts"):
        assert f"--unshare-{namespace}" in walls
    assert "--new-session --die-with-parent --as-pid-1 --cap-drop ALL --clearenv" in walls
