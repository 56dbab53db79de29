import os
import socket
from pathlib import Path

import pytest

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.grants import close_all, judge, open_grant, open_grants
from sandbox_kernel.policy import Policy

HOMES = ("/home/alice", "/var/lib/jenkins")


@pytest.mark.parametrize(
    "path",
    [
        "/home/alice/project",
        "/home/alice/project/.cache/notebooks",
        "/tmp/.hidden/notebook",
        "/srv/notebooks",
        "/opt/course",
        "/data",
        "/tmp/notebook",
        "/var/tmp/notebook",
        "/var/home/bob/project",
        "/var/lib/jenkins/workspace/job",
        "/usrdata",
    ],
)
def test_folders_of_people_are_granted(path):
    """Folders below homes and in places for data may be shared."""
    judge(path, HOMES)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/", "home directory"),
        ("/home", "home directory"),
        ("/home/alice", "home directory"),
        *(
            (f"/home/alice/{name}", "hidden in a home")
            for name in (
                ".bashrc",
                ".cache",
                ".cache/notebooks",
                ".git-credentials",
                ".ipython",
                ".local",
                ".local/share",
                ".netrc",
                ".npmrc",
                ".profile",
                ".pypirc",
                ".ssh",
                ".config/systemd/user",
            )
        ),
        ("/home/bob/.netrc", "hidden in a home"),
        ("/var/home/bob/.cache", "hidden in a home"),
        ("/root/.cache/x", "hidden in a home"),
        ("/var/lib/jenkins/.ssh", "hidden in a home"),
        ("/tmp/.X11-unix", "sockets"),
        ("/tmp/.ICE-unix", "sockets"),
        ("/tmp/.font-unix", "sockets"),
        ("/var/tmp/systemd-private-abc/tmp", "sockets"),
        ("/tmp/tmux-1000", "sockets"),
        ("/home/alice/.ssh/deep/er", "keys"),
        ("/home/alice/.config/gcloud", "keys"),
        ("/home/alice/.jupyter", "keys"),
        ("/home/alice/.local/share/jupyter/kernels", "keys"),
        ("/tmp", "shared"),
        ("/var/tmp", "shared"),
        ("/root", "shared"),
        ("/tmp/sandbox-kernel-1000/abcd", "sockets"),
        ("/usr", "system"),
        ("/usr/local/share/x", "system"),
        ("/etc/jupyter", "system"),
        ("/var", "home directory"),
        ("/var/log", "system"),
        ("/var/lib/docker", "system"),
        ("/run/user/1000", "system"),
        ("/proc/self", "system"),
        ("/sys/fs/cgroup", "system"),
        ("/dev/shm/x", "system"),
        ("/boot", "system"),
    ],
)
def test_other_places_are_refused(path, why):
    """Homes, keys, shared places, sockets and the system are refused in a sentence that says what to do."""
    with pytest.raises(WorkspaceError, match=why) as refusal:
        judge(path, HOMES)
    sentence = str(refusal.value)
    assert sentence.startswith(f"{path} ")
    assert "folder of its own" in sentence
    assert "Sandbox: directory=DIR" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "JUPYTER_RUNTIME_DIR"])
def test_runtime_directories_are_refused(monkeypatch, name):
    """What holds or lies in a directory for sockets and tokens is refused, wherever that is."""
    monkeypatch.setenv(name, "/data/runtime/me")
    for path in ("/data/runtime", "/data/runtime/me", "/data/runtime/me/x"):
        with pytest.raises(WorkspaceError, match="sockets"):
            judge(path, HOMES)


def test_the_home_of_who_runs_this_is_refused(monkeypatch, tmp_path):
    """HOME itself and what holds it are refused, also through a link."""
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "link").symlink_to(home)
    for path in (home, tmp_path, tmp_path / "link"):
        with pytest.raises(WorkspaceError, match="home directory"):
            open_grant(str(path), writable=False)
    open_grant(str(home / "project"), writable=False).close()


def test_a_link_to_a_forbidden_place_is_refused(tmp_path):
    """What counts is where a path leads."""
    (tmp_path / "notebooks").symlink_to("/etc")
    with pytest.raises(WorkspaceError, match="/etc belongs to the system"):
        open_grant(str(tmp_path / "notebooks"), writable=False)


def test_missing_and_odd_files_are_refused(tmp_path):
    """A path that does not exist, a socket, a FIFO and a relative path are refused, each with its reason."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for name, why in (("nothing", "No such file"), ("fifo", "plain file"), ("socket", "plain file")):
        with pytest.raises(WorkspaceError, match=why):
            open_grant(str(tmp_path / name), writable=False)
    with pytest.raises(WorkspaceError, match="absolute"):
        open_grant("notebooks", writable=False)


def test_grants_of_a_policy(tmp_path):
    """The workspace and the mounts are opened, each path once; a mount of the same path decides."""
    (tmp_path / "data").mkdir()
    policy = Policy(workspace="ro", mounts=(f"{tmp_path}/data:rw",))
    opened = open_grants(policy, tmp_path)
    try:
        assert [(one.grant.path, one.grant.writable) for one in opened] == [
            (str(tmp_path), False),
            (f"{tmp_path}/data", True),
        ]
        status = tmp_path.stat()
        assert (opened[0].grant.uid, opened[0].grant.gid) == (status.st_uid, status.st_gid)
    finally:
        close_all(opened)
    same = open_grants(Policy(workspace="ro", mounts=(f"{tmp_path}:rw",)), tmp_path)
    close_all(same)
    assert [one.grant.writable for one in same] == [True]


def test_a_mount_that_left_the_allowed_trees_since_it_was_judged_is_refused(tmp_path):
    """What is opened is held against the administrator's trees again: links may have been turned."""
    for name in ("allowed/data", "elsewhere", "work"):
        (tmp_path / name).mkdir(parents=True)
    link = tmp_path / "allowed/link"
    link.symlink_to("data")
    maxima = {"allowed_mounts": [str(tmp_path / "allowed")]}
    policy = Policy.from_settings({"mounts": [str(link)]}, maxima=maxima)
    close_all(open_grants(policy, tmp_path / "work"))
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceError, match="elsewhere, which the administrator does not allow"):
        open_grants(policy, tmp_path / "work")
    close_all(open_grants(Policy(mounts=(f"{link}:ro",)), tmp_path / "work"))


def test_workspace_none_opens_nothing():
    """Without a workspace the directory is not looked at, so it may be anything."""
    assert open_grants(Policy(workspace="none"), Path("/")) == []


def test_a_refused_grant_leaves_nothing_open(tmp_path):
    """When one of several grants is refused, no descriptor stays."""
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(WorkspaceError):
        open_grants(Policy(mounts=(f"{tmp_path}/zzz:ro",)), tmp_path)
    assert set(os.listdir("/proc/self/fd")) == before


def test_what_was_judged_is_what_is_held(tmp_path):
    """A folder that is swapped for a link after it was judged changes nothing: the old one is held."""
    folder = tmp_path / "folder"
    folder.mkdir()
    opened = open_grant(str(folder), writable=False)
    folder.rename(tmp_path / "moved")
    folder.symlink_to("/etc")
    try:
        assert Path(f"/proc/self/fd/{opened.fd}").readlink() == tmp_path / "moved"
    finally:
        opened.close()


def test_a_workspace_is_a_directory(tmp_path):
    """A file, which may be mounted, is no place for a notebook to run in."""
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="is no directory"):
        open_grants(Policy(), tmp_path / "file")


def test_a_grant_through_a_link_that_code_could_turn_is_refused(tmp_path):
    """A mount reached through a link inside a folder granted for writing is refused; a fixed link is fine."""
    (tmp_path / "project").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "project/data").symlink_to(tmp_path / "data")
    mounts = (f"{tmp_path}/project/data:ro",)
    close_all(open_grants(Policy(workspace="ro", mounts=mounts), tmp_path / "project"))
    with pytest.raises(WorkspaceError, match="which code could change"):
        open_grants(Policy(workspace="rw", mounts=mounts), tmp_path / "project")
