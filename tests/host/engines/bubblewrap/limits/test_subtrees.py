"""Where version 2 groups go, on trees as the kernel and systemd lay them out.

The trees are directories with the kernel's files in them; that real ones behave so is shown
wherever the whole suite runs on a machine with version 2.
"""

import os
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits import subtrees
from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree
from sandbox_kernel.host.engines.bubblewrap.limits.subtrees import Above, Subtrees

ALL = frozenset({"memory", "cpus", "pids"})


class Groups:
    """A tree of groups to look at."""

    def __init__(self, mount: Path) -> None:
        self.mount = mount

    def add(
        self, place: str, *, procs="", at_hand="cpu memory pids", handed_down="", delegated=False
    ) -> Path:
        group = self.mount / place
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(procs)
        (group / "cgroup.controllers").write_text(at_hand)
        (group / "cgroup.subtree_control").write_text(handed_down)
        if group != self.mount:
            (group / "cgroup.type").write_text("domain")
        if delegated:
            os.setxattr(group, "user.delegate", b"1")
        return group

    def find(self, own: str, limits=ALL):
        return Subtrees().find(Tree(2, frozenset(), self.mount, self.mount / own), limits)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Groups on a machine without systemd."""
    monkeypatch.setattr(subtrees, "BOOTED", tmp_path / "no systemd")
    monkeypatch.setattr(
        "sandbox_kernel.host.engines.bubblewrap.limits.systemd.BOOTED", tmp_path / "no systemd"
    )
    return Groups(tmp_path)


@pytest.fixture
def under_systemd(tmp_path, groups, monkeypatch):
    """Groups on a machine with systemd, whose bus we cannot reach."""
    monkeypatch.setattr(subtrees, "BOOTED", tmp_path)
    return groups


def test_what_was_delegated_to_our_service_is_preferred(groups):
    """A service with Delegate=yes and a sub-group for itself leaves the group above to us."""
    groups.add("", handed_down="cpu memory pids")
    service = groups.add("hub.service", delegated=True)
    groups.add("hub.service/main", procs="1\n")
    place, kept = groups.find("hub.service/main")
    assert (place.directory, kept) == (service, ALL)


def test_what_was_delegated_but_holds_processes_is_of_no_use(groups):
    """The kernel lets no group hand controllers down that holds processes itself."""
    root = groups.add("", handed_down="cpu memory pids")
    groups.add("hub.service", procs="1\n", delegated=True)
    assert groups.find("hub.service")[0].directory == root


def test_what_is_a_user_s_systemd_s_is_not_ours(under_systemd):
    """A user's own systemd manages what was delegated to it."""
    under_systemd.add("")
    under_systemd.add("user@1000.service", delegated=True)
    under_systemd.add("user@1000.service/app.scope", procs="1\n")
    assert under_systemd.find("user@1000.service/app.scope") is None


def test_a_group_that_serves_more_limits_is_preferred_to_a_nearer_one(groups):
    """Every limit that a group keeps is one that a watchdog need not."""
    root = groups.add("", handed_down="cpu memory pids")
    groups.add("near", handed_down="memory")
    groups.add("near/own", procs="1\n")
    assert groups.find("near/own")[0].directory == root


def test_of_equals_the_nearest_is_taken(groups):
    """The nearer the place, the more of the limits set above it still hold."""
    groups.add("", handed_down="cpu memory pids")
    near = groups.add("near", handed_down="cpu memory pids")
    groups.add("near/own", procs="1\n")
    assert groups.find("near/own")[0].directory == near


def test_only_what_can_be_kept_is_promised(groups):
    """A controller that is not at hand is left to others."""
    groups.add("", handed_down="memory pids", at_hand="memory pids")
    place, kept = groups.find("")
    assert kept == {"memory", "pids"}
    assert place.controllers == {"memory", "pids"}


def test_the_root_of_all_may_hand_down_though_it_holds_processes(groups):
    """The kernel makes an exception for the root, which it says by leaving out a file."""
    root = groups.add("", procs="1\n2\n")
    place, _ = groups.find("")
    assert place.open() == root
    assert (root / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_a_container_s_own_root_may_not(groups):
    """A namespace's root looks like a root by its path, but is none to the kernel."""
    groups.add("", procs="1\n")
    (groups.mount / "cgroup.type").write_text("domain")
    assert groups.find("") is None


def test_under_systemd_nothing_is_switched_on(under_systemd):
    """What we switched on in its tree, systemd would switch off again, and the limit with it."""
    under_systemd.add("", procs="1\n")
    assert under_systemd.find("") is None


def test_what_we_may_not_write_is_no_place(groups, monkeypatch):
    """Without the right to move processes there, a group is of no use."""
    groups.add("", handed_down="cpu memory pids")
    monkeypatch.setattr(subtrees, "writable", lambda group: False)
    assert groups.find("") is None


def test_what_is_handed_down_already_is_left_alone(groups):
    """Nothing is written where nothing is missing."""
    root = groups.add("", handed_down="cpu memory pids")
    assert Above(root, frozenset({"cpu"})).open() == root
    assert (root / "cgroup.subtree_control").read_text() == "cpu memory pids"
