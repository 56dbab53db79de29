"""What is written into groups of either version, and what is read from them.

The groups are plain directories here, so the tables can be checked on every machine; that the
kernel means the same by them is shown by the attacks on the limits.
"""

from pathlib import Path

import pytest

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.host.engines.bubblewrap.limits import cgroup1, cgroup2
from sandbox_kernel.host.engines.bubblewrap.limits import plan as plan_module
from sandbox_kernel.host.engines.bubblewrap.limits.cgroup1 import Cgroup1, Cgroup1Hold
from sandbox_kernel.host.engines.bubblewrap.limits.cgroup2 import Cgroup2, Cgroup2Hold
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import Limits
from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree
from sandbox_kernel.host.engines.bubblewrap.limits.subtrees import Above
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.limits.waiting import waiting

NAME = "0123456789abcdef"
LIMITS = Limits(memory=300 << 20, cpus=1.5, pids=70)
ALL = frozenset({"memory", "cpus", "pids"})


def files(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.fixture
def version1(tmp_path):
    """Three trees of version 1, each with our own group in it."""
    trees = {}
    for controller in ("cpu", "memory", "pids"):
        own = tmp_path / controller / "own"
        own.mkdir(parents=True)
        trees[controller] = Tree(1, frozenset({controller}), tmp_path / controller, own)
    (trees["cpu"].own / "cpu.cfs_quota_us").write_text("-1")
    (trees["cpu"].own / "cpu.cfs_period_us").write_text("100000")
    return trees


def test_version_1_is_written(version1):
    """Each limit goes into its own tree, below our own group."""
    with waiting() as process:
        hold = Cgroup1(version1, LIMITS).apply(process.pid, NAME)
        cpu, memory, pids = hold.paths()
        assert cpu == version1["cpu"].own / f"sandbox-kernel-{NAME}"
        me = str(process.pid)
        starting = {"cpu.cfs_period_us": "1000000", "cpu.cfs_quota_us": "1500000"}
        assert files(cpu) == {"cgroup.procs": me, **starting}
        assert files(memory) == {"cgroup.procs": me, "memory.limit_in_bytes": str(300 << 20)}
        assert files(pids) == {"cgroup.procs": me, "pids.max": "70"}
        hold.settle()
        settled = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"}
        assert files(cpu) == {"cgroup.procs": me, **settled}


def test_version_1_gives_no_more_time_than_there_is(version1):
    """The kernel refuses a group more than the one above has; less was granted to all of us."""
    (version1["cpu"].own / "cpu.cfs_quota_us").write_text("50000")
    with waiting() as process:
        hold = Cgroup1(version1, LIMITS).apply(process.pid, NAME)
        assert files(hold.paths()[0])["cpu.cfs_quota_us"] == "500000"
        hold.settle()
        assert files(hold.paths()[0])["cpu.cfs_quota_us"] == "50000"


def test_version_1_counts_swap_where_the_kernel_does(tmp_path):
    """The peak is that of memory and swap together."""
    (tmp_path / "memory.memsw.limit_in_bytes").write_text("1")
    (tmp_path / "memory.memsw.max_usage_in_bytes").write_text("22")
    (tmp_path / "memory.max_usage_in_bytes").write_text("11")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "pids.events").write_text("max 3\n")
    (tmp_path / "cpuacct.usage").write_text("4500000000\n")
    hold = Cgroup1Hold(dict.fromkeys(("memory", "pids", "cpuacct"), tmp_path))
    assert hold.usage() == Usage(memory_bytes=22, oom_kills=2, pids_refused=3, cpu_seconds=4.5)
    (tmp_path / "memory.memsw.limit_in_bytes").unlink()
    hold = Cgroup1Hold(dict.fromkeys(("memory", "pids", "cpuacct"), tmp_path))
    assert hold.usage().memory_bytes == 11


@pytest.mark.parametrize(("swap", "by"), [(False, "cgroup v1"), (True, "watchdog")])
def test_version_1_does_not_keep_memory_where_it_could_be_swapped(version1, monkeypatch, swap, by):
    """A limit on memory alone, on a machine with swap, would slow a sandbox down and never end it."""
    for tree in version1.values():
        (tree.own / "cgroup.procs").touch()
    monkeypatch.setattr(plan_module, "find_trees", lambda: list(version1.values()))
    monkeypatch.setattr(cgroup2, "host_has_swap", lambda: swap)
    kept = {entry.limit: entry.by for entry in plan_module.plan_limits(Policy()).enforcements()}
    assert kept == {"memory": by, "cpus": "cgroup v1", "pids": "cgroup v1"}


def test_version_1_is_used_where_we_may_write(version1, monkeypatch):
    """A tree that is read-only, as in containers, keeps nothing."""
    assert cgroup1.find(list(version1.values())) == {}
    (version1["pids"].own / "cgroup.procs").touch()
    assert list(cgroup1.find(list(version1.values()))) == ["pids"]


def test_version_2_is_written(tmp_path):
    """All limits go into one group."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    with waiting() as process:
        subtree = Above(tmp_path, frozenset({"cpu", "memory", "pids"}))
        hold = Cgroup2(subtree, ALL, LIMITS).apply(process.pid, NAME)
        assert hold.paths() == [tmp_path / f"sandbox-kernel-{NAME}"]
        written = files(hold.paths()[0])
        hold.settle()
        settled = files(hold.paths()[0])["cpu.max"]
    assert settled == "150000 100000"
    assert written.pop("memory.swap.max", "0") == "0"
    assert written == {
        "cgroup.procs": str(process.pid),
        "memory.max": str(300 << 20),
        "pids.max": "70",
        "cpu.max": "1500000 1000000",
    }


def test_version_2_forbids_swap(tmp_path, monkeypatch):
    """Where the machine has swap, a group that cannot forbid it is an error."""
    monkeypatch.setattr(cgroup2, "host_has_swap", lambda: True)
    cgroup2.set_limits(tmp_path, frozenset({"memory"}), LIMITS)
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    (tmp_path / "memory.swap.max").unlink()
    (tmp_path / "memory.swap.max").symlink_to("/nowhere/at/all")
    with pytest.raises(LimitUnenforceableError, match=r"memory\.swap\.max"):
        cgroup2.set_limits(tmp_path, frozenset({"memory"}), LIMITS)


def test_version_2_is_counted(tmp_path):
    """Peak, kills, refusals and time come from the kernel's files; an old kernel tells no peak."""
    (tmp_path / "memory.current").write_text("11\n")
    (tmp_path / "memory.events").write_text("low 0\noom 5\noom_kill 2\noom_group_kill 0\n")
    (tmp_path / "pids.events").write_text("max 3\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 4500000\nuser_usec 1\n")
    hold = Cgroup2Hold(tmp_path)
    assert hold.usage() == Usage(memory_bytes=11, oom_kills=2, pids_refused=3, cpu_seconds=4.5)
    (tmp_path / "memory.current").write_text("5\n")
    assert hold.usage().memory_bytes == 11
    (tmp_path / "memory.peak").write_text("22\n")
    assert hold.usage().memory_bytes == 22
