"""What is chosen to keep the limits, and what comes of putting a process under them."""

import os
import secrets
import signal
from pathlib import Path

import pytest

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.host.engines.bubblewrap.limits import plan as plan_module
from sandbox_kernel.host.engines.bubblewrap.limits import plan_limits
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import LIMITS
from sandbox_kernel.host.engines.bubblewrap.limits.places import find_trees
from sandbox_kernel.host.engines.bubblewrap.limits.processes import tree
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.limits.waiting import go, waiting


@pytest.fixture
def no_groups(monkeypatch):
    """A machine without control groups that we may write."""
    monkeypatch.setattr(plan_module, "find_trees", list)


@pytest.fixture(params=["best", "watchdog"])
def keeper(request):
    """What keeps the limits: the best of this machine, or what is left without control groups."""
    if request.param == "watchdog":
        request.getfixturevalue("no_groups")
    return request.param


@pytest.fixture
def plan(keeper):
    return plan_limits(Policy())


def name() -> str:
    return secrets.token_hex(8)


def test_each_limit_is_kept_by_something(plan):
    """There is one entry per limit, each with its means and a sentence."""
    entries = plan.enforcements()
    assert [entry.limit for entry in entries] == list(LIMITS)
    assert all(entry.by and entry.detail.endswith(".") for entry in entries)


def test_without_groups_there_are_watchdogs_and_a_resource_limit(no_groups):
    """What is left is named for what it is, and the guest is told what to set."""
    plan = plan_limits(Policy(pids=77))
    kept = {entry.limit: (entry.by, entry.weak) for entry in plan.enforcements()}
    assert kept == {"memory": ("watchdog", True), "cpus": ("watchdog", True), "pids": ("rlimit", False)}
    assert plan.guest_pids == 77


@pytest.mark.parametrize(
    ("release", "fine"), [("5.13.9", False), ("5.14.0-rc1", True), ("6.1.0-49-amd64", True)]
)
def test_an_old_kernel_cannot_limit_processes_without_groups(no_groups, monkeypatch, release, fine):
    """Before Linux 5.14 the resource limit counted all that the user runs: no limit of a sandbox."""
    monkeypatch.setattr("platform.release", lambda: release)
    if fine:
        assert plan_limits(Policy()).guest_pids
    else:
        with pytest.raises(LimitUnenforceableError, match=r"older than 5\.14"):
            plan_limits(Policy())


def test_a_process_is_counted_killed_and_forgotten(plan, no_leftovers):
    """Usage grows while the process works, kill ends it, release removes all, and each may be repeated."""
    with waiting(
        "x = bytearray(50_000_000); print('full', flush=True); import time; time.sleep(1000)"
    ) as process:
        applied = plan.apply(process.pid, name())
        assert all(path.is_dir() for path in applied.paths())
        go(process)
        assert process.stdout.readline() == "full\n"
        for _ in range(2):
            applied.kill()
        assert process.wait(10) == -signal.SIGKILL
        for _ in range(2):
            applied.release()
        assert not any(path.exists() for path in applied.paths())
        assert isinstance(applied.usage(), Usage)
        assert applied.usage() == applied.usage()
    assert no_leftovers.settle() == set()


def test_usage_outlives_the_sandbox(plan):
    """What was counted can be asked for after all has been removed."""
    with waiting("x = bytearray(50_000_000); x[::4096] = x[::4096]; input()") as process:
        applied = plan.apply(process.pid, name())
        go(process)
        while applied.usage().memory_bytes < 50_000_000:
            assert process.poll() is None
        applied.release()
        assert applied.usage().memory_bytes >= 50_000_000


def test_release_ends_all_descendants(plan, no_leftovers):
    """Children, and their children, are gone when release returns."""
    code = """
        import os, signal
        for _ in range(3):
            if os.fork() == 0:
                os.fork()
                signal.pause()
        print("forked", flush=True)
        signal.pause()
    """
    with waiting(code) as process:
        applied = plan.apply(process.pid, name())
        go(process)
        process.stdout.readline()
        while len(tree(process.pid)) < 7:  # without a pid namespace, one born during the kill would escape
            assert process.poll() is None
        applied.release()
        assert process.wait(1) == -signal.SIGKILL
    assert no_leftovers.settle() == set()


def test_a_process_with_children_is_refused(plan):
    """Limits that came too late for some would be no limits."""
    with waiting("import subprocess; subprocess.run(['sleep', '1000'])") as process:
        go(process)
        while not (children := children_of(process.pid)):
            assert process.poll() is None
        with pytest.raises(LimitUnenforceableError, match="started others"):
            plan.apply(process.pid, used := name())
        os.kill(children[0], signal.SIGKILL)
    assert groups_of(used) == []


def children_of(pid: int) -> list[int]:
    return [process.pid for process in tree(pid)][1:]


def groups_of(launch: str) -> list[Path]:
    """Return the control groups that there are of a launch."""
    parents = {parent for one in find_trees() for parent in one.ancestors()}
    return [path for parent in parents for path in parent.glob(f"*{launch}*")]


def test_a_process_that_has_ended_is_refused(plan):
    """There is nothing to limit, and no group is left."""
    with waiting() as process:
        process.kill()
        process.wait()
        with pytest.raises(LimitUnenforceableError, match="has ended"):
            plan.apply(process.pid, used := name())
    assert groups_of(used) == []


@pytest.mark.parametrize(
    "bad", ["", "short", "../../../../tmp/x", "0123456789abcdeg", "ABCDEF0123", "a" * 65]
)
def test_a_name_that_is_no_name_is_refused(plan, bad):
    """A launch's name becomes part of paths, so it is checked."""
    with waiting() as process, pytest.raises(ValueError, match="hex digits"):
        plan.apply(process.pid, bad)


def test_a_name_in_use_is_refused(plan, keeper):
    """Two sandboxes in one group would share their limits; a watchdog has no names."""
    if keeper == "watchdog" or plan.guest_pids:
        return
    same = name()
    with waiting() as one, waiting() as other:
        applied = plan.apply(one.pid, same)
        with pytest.raises(LimitUnenforceableError, match="File exists"):
            plan.apply(other.pid, same)
        assert one.poll() is None
        assert all(path.exists() for path in applied.paths())
        applied.release()
