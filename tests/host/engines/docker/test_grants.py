import os
import socket
import sys
from pathlib import Path

import pytest

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker import grants
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.grants import NOBODY, Bind, grant
from sandbox_kernel.policy import Policy
from tests.host.engines.docker.machines import facts

ROOT = os.geteuid() == 0
OWN = (NOBODY, NOBODY) if ROOT else (os.geteuid(), os.getegid())


def granted(folder, policy=None, *, url="unix:///run/d.sock", argv=("python3",), **changes):
    launch = Launch(argv, Path(folder), "0" * 16)
    return grant(policy or Policy(), launch, Address("docker", url, "tests"), facts(**changes))


def test_the_folder_is_seen_at_its_own_path(folder):
    """Read-only by default, and as an ordinary user."""
    found = granted(folder)
    assert found.binds == (Bind(str(folder), str(folder), False),)
    assert (found.uid, found.gid) == OWN


def test_a_link_is_seen_at_both_places(folder):
    """What the daemon mounts is the real path, in which there is no link to be turned."""
    link = folder.parent / "link"
    link.symlink_to(folder)
    real = str(folder)
    assert set(granted(link).binds) == {Bind(real, real, False), Bind(real, str(link), False)}


def test_mounts_come_innermost_last(folder):
    """A mount inside the folder is not covered by the folder."""
    inner = folder / "data"
    inner.mkdir(mode=0o777)
    inner.chmod(0o777)
    found = granted(folder, Policy(mounts=(f"{inner}:rw",)))
    assert [bind.target for bind in found.binds] == [str(folder), str(inner)]
    assert [bind.writable for bind in found.binds] == [False, True]


def test_nothing_asked_for_is_nothing_given(folder):
    """Without a workspace not even the directory has to be there."""
    assert granted("/nowhere/at/all", Policy(workspace="none"), local=False).binds == ()


@pytest.mark.parametrize("policy", [Policy(), Policy(workspace="rw")])
def test_elsewhere_nothing_is_there(folder, policy):
    """A path of this machine means nothing on another one: refused, with what to do."""
    with pytest.raises(WorkspaceError, match=f"{folder} is not there. Share nothing"):
        granted(folder, policy, url="tcp://d:2376", local=False)
    mounting = Policy(workspace="none", mounts=(f"{folder}:ro",))
    with pytest.raises(WorkspaceError, match="is not on this machine"):
        granted(folder, mounting, url="tcp://d:2376", local=False)


@pytest.mark.parametrize("path", ["/", "/etc", "/var/run", "/run", "/usr/share", "/proc", "/var/lib/docker"])
def test_the_systems_directories_are_refused(path):
    """As for every engine."""
    with pytest.raises(WorkspaceError):
        granted(path)


def test_the_daemons_socket_is_never_given(folder):
    """Neither itself nor a folder that holds it, by whatever name."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "d.sock"))
        with pytest.raises(WorkspaceError, match="through which the whole machine can be had"):
            granted(folder, url=f"unix://{folder}/d.sock")
        with pytest.raises(WorkspaceError, match="neither a directory nor a plain file"):
            granted(folder, Policy(workspace="none", mounts=(f"{folder}/d.sock:ro",)))


def test_other_sockets_are_covered(folder):
    """A door to another program is there, and leads nowhere."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "agent"))
        os.mkfifo(folder / "pipe")
        covers = {bind.target for bind in granted(folder).binds if bind.source == grants.NOTHING}
    assert covers == {f"{folder}/agent", f"{folder}/pipe"}


def test_where_images_keep_the_guest_nothing_is_mounted(folder, monkeypatch):
    """A grant cannot replace the guest."""
    monkeypatch.setattr(grants, "PLACE", str(folder / "guest"))
    with pytest.raises(WorkspaceError, match="where images keep their guest"):
        granted(folder)


@pytest.mark.parametrize(("mode", "writable"), [(0o700, False), (0o711, False), (0o755, True)])
@pytest.mark.skipif(not ROOT, reason="engine docker: only root's containers run as somebody else")
def test_what_the_containers_user_cannot_use_is_refused(folder, mode, writable):
    """With the numbers that explain it, instead of a kernel that does not start."""
    folder.chmod(mode)
    with pytest.raises(WorkspaceError, match=rf"uid {NOBODY}\): it is uid 0's, mode {mode:o}; .*chmod"):
        granted(folder, Policy(workspace="rw" if writable else "ro"))


@pytest.mark.skipif(not ROOT, reason="engine docker: only root can hand a folder to somebody else")
def test_roots_container_runs_as_the_folders_owner(folder):
    """So that the owner may write to it; never as root."""
    os.chown(folder, 1234, 0)
    folder.chmod(0o700)
    found = granted(folder, Policy(workspace="rw"))
    assert (found.uid, found.gid) == (1234, NOBODY)


def test_where_numbers_mean_others_the_rights_of_others_count(folder):
    """In a user namespace everybody of this machine is a stranger."""
    folder.chmod(0o750)
    with pytest.raises(WorkspaceError, match=f"uid {NOBODY}"):
        granted(folder, userns=True)
    folder.chmod(0o755)
    assert granted(folder, userns=True).uid == NOBODY


@pytest.fixture
def environment(folder, monkeypatch):
    """A Python environment two levels below the folder, which this host uses."""
    place = folder / "project" / ".venv"
    place.mkdir(parents=True)
    monkeypatch.setattr(grants, "_environments", lambda launch: [str(place)])
    return place


def test_the_hosts_python_cannot_be_replaced(folder, environment):
    """Below a writable folder it is mounted once more, read-only, and what is above it cannot be renamed."""
    folder.chmod(0o777)
    found = granted(folder, Policy(workspace="rw"))
    assert found.binds == (
        Bind(str(folder), str(folder), True),
        Bind(f"{folder}/project", f"{folder}/project", True),
        Bind(str(environment), str(environment), False),
    )
    assert len(granted(folder).binds) == 1  # nothing can be written anyway


def test_a_folder_in_the_hosts_python_is_not_writable(environment):
    """Whatever lies in it is a part of it."""
    inner = environment / "lib"
    inner.mkdir()
    inner.chmod(0o777)
    assert granted(inner).binds
    with pytest.raises(WorkspaceError, match="part of the Python environment"):
        granted(inner, Policy(workspace="rw"))


def test_which_environments_count():
    """Ours, and that of the kernel's own program, if it is one of this host."""
    found = grants._environments(Launch((sys.executable,), Path("/"), "0" * 16))
    assert any(Path(sys.prefix).resolve().is_relative_to(place) for place in found)
    assert grants._environments(Launch(("/no/such/python",), Path("/"), "0" * 16))
