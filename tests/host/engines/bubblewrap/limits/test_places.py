"""Where control groups are, as the kernel's own files tell it: tables from real machines."""

from pathlib import Path

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits.places import find_trees

OPTIONS = "rw,nosuid,nodev,noexec,relatime"
UNIFIED = (
    f"26 25 0:24 / /sys/fs/cgroup {OPTIONS} shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot"
)
HYBRID = f"""\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 25 0:27 / /sys/fs/cgroup/unified {OPTIONS} shared:9 - cgroup2 cgroup2 rw
31 25 0:28 / /sys/fs/cgroup/systemd {OPTIONS} shared:10 - cgroup cgroup rw,xattr,name=systemd
34 25 0:31 / /sys/fs/cgroup/memory {OPTIONS} shared:14 - cgroup cgroup rw,memory
35 25 0:32 / /sys/fs/cgroup/cpu,cpuacct {OPTIONS} shared:15 - cgroup cgroup rw,cpu,cpuacct
"""
TABLE = {
    "a user's terminal under systemd": (
        UNIFIED,
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.scope\n",
        {"": "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.scope"},
    ),
    "a container with a namespace of its own": (UNIFIED, "0::/\n", {"": "/sys/fs/cgroup"}),
    "a container that sees the host's paths": (
        f"700 690 0:24 /docker/abc /sys/fs/cgroup {OPTIONS} - cgroup2 cgroup2 rw",
        "0::/docker/abc/below\n",
        {"": "/sys/fs/cgroup/below"},
    ),
    "a process outside of what is mounted": (
        f"700 690 0:24 /docker/abc /sys/fs/cgroup {OPTIONS} - cgroup2 cgroup2 rw",
        "0::/system.slice\n",
        {},
    ),
    "a process outside of its own namespace's root": (UNIFIED, "0::/../other\n", {}),
    "both versions, two controllers mounted together": (
        HYBRID,
        "5:cpu,cpuacct:/a\n4:memory:/b c\n1:name=systemd:/d\n0::/e\n",
        {
            "": "/sys/fs/cgroup/unified/e",
            "memory": "/sys/fs/cgroup/memory/b c",
            "cpu": "/sys/fs/cgroup/cpu,cpuacct/a",
            "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/a",
            "name=systemd": "/sys/fs/cgroup/systemd/d",
        },
    ),
    "a mount point with a space": (
        "26 25 0:24 / /mnt/my\\040groups rw - cgroup2 cgroup2 rw",
        "0::/x:y\n",
        {"": "/mnt/my groups/x:y"},
    ),
    "no groups at all": ("22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw", "0::/\n", {}),
}


@pytest.mark.parametrize(("mountinfo", "own", "wanted"), TABLE.values(), ids=TABLE)
def test_our_own_place_is_found(mountinfo, own, wanted):
    """Each tree's own directory follows from the two files."""
    found = {name: str(tree.own) for tree in find_trees(mountinfo, own) for name in tree.controllers or {""}}
    assert found == wanted


def test_ancestors_end_at_the_mount():
    """What is above the mounted part of a tree is not ours to look at."""
    (tree,) = find_trees(UNIFIED, "0::/a/b\n")
    assert [str(path) for path in tree.ancestors()] == [
        "/sys/fs/cgroup/a/b",
        "/sys/fs/cgroup/a",
        "/sys/fs/cgroup",
    ]


def test_the_real_files_are_understood():
    """On this machine every tree found is really there and holds us."""
    for tree in find_trees():
        assert Path("/proc/self/cgroup").read_text().count(":")
        assert (tree.own / "cgroup.procs").exists()
