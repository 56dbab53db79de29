"""The watchdog: what it counts, whom it stops, and what holds when it cannot look."""

import resource
import secrets
import threading

import pytest

from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.host.engines.bubblewrap.limits import footprint, processes
from sandbox_kernel.host.engines.bubblewrap.limits.keeper import Limits
from sandbox_kernel.host.engines.bubblewrap.limits.watch import BURST, LONGEST_REST, CpuAccount
from sandbox_kernel.host.engines.bubblewrap.limits.watchdog import KENNEL, Watchdog
from tests.host.engines.bubblewrap.limits.waiting import go, waiting

MiB = 1 << 20


@pytest.fixture
def watch():
    """Put a waiting process under a watchdog."""
    holds = []

    def watch(process, *kept, memory=256 * MiB, cpus=0.3):
        hold = Watchdog(frozenset(kept), Limits(memory, cpus, 100)).apply(process.pid, secrets.token_hex(8))
        holds.append(hold)
        return hold

    yield watch
    for hold in holds:
        hold.release()


def test_a_brake_holds_while_nobody_looks(watch):
    """The kernel refuses a process far more memory than was granted, however busy our process is."""
    code = "try: bytearray(8 << 30)\nexcept MemoryError: print('refused', flush=True)"
    with waiting(code) as process:
        watch(process, "memory")
        limit = 2 * 256 * MiB + (1 << 30)
        assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == (limit, limit)
        go(process)
        assert process.stdout.readline() == "refused\n"


def test_who_is_admitted_is_braked_as_the_first_is(watch):
    """A process from elsewhere is watched once it is inside, and bounded while nobody looks as well."""
    with waiting() as process, waiting() as another:
        watch(process, "memory").admit(another.pid)
        limit = 2 * 256 * MiB + (1 << 30)
        assert resource.prlimit(another.pid, resource.RLIMIT_DATA) == (limit, limit)


def test_there_is_no_brake_without_a_memory_limit(watch):
    """Only what the watchdog keeps is braked."""
    with waiting() as process:
        before = resource.prlimit(process.pid, resource.RLIMIT_DATA)
        watch(process, "cpus")
        assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == before


def test_the_first_process_is_never_stopped(watch):
    """What answers for the sandbox runs on while its children are resting."""
    code = """
        import os, time
        if os.fork() == 0:
            while True: pass
        print("burning", flush=True)
        time.sleep(1000)
    """
    with waiting(code) as process:
        watch(process, "cpus", cpus=0.01)
        go(process)
        process.stdout.readline()
        stopped = 0
        while stopped < 10:
            root, *children = processes.tree(process.pid)
            assert root.state != "T"
            stopped += any(child.state == "T" for child in children)
            threading.Event().wait(0.001)


def test_a_watchdog_that_is_killed_takes_the_sandboxes_along(watch, no_leftovers):
    """A limit is never lost silently, and the next sandbox has a new watchdog."""
    with waiting("import time; time.sleep(1000)") as process:
        hold = watch(process, "memory")
        go(process)
        KENNEL._dog.kill()
        assert process.wait(10) == -9
        assert hold.usage() == Usage()
    with waiting(
        "x = bytearray(50 << 20); x[::4096] = x[::4096]; print('full', flush=True); input()"
    ) as process:
        hold = watch(process, "memory")
        go(process)
        process.stdout.readline()
        while hold.usage().memory_bytes < 50 * MiB:
            assert process.poll() is None
        hold.release()
    assert no_leftovers.settle() == set()


@pytest.mark.timeout(30)
def test_a_host_that_is_killed_takes_the_sandboxes_along(no_leftovers):
    """The watchdog outlives its host just long enough; a fork of the host's does not keep it."""
    host = """
        import os, signal, subprocess, sys, time
        from sandbox_kernel.host.engines.bubblewrap.limits import watchdog
        from sandbox_kernel.host.engines.bubblewrap.limits.keeper import Limits
        sandbox = subprocess.Popen(["sleep", "1000"])
        limits = Limits(1 << 30, 1.0, 100)
        hold = watchdog.Watchdog(frozenset({"memory"}), limits).apply(sandbox.pid, "0123456789abcdef")
        while not hold.usage().memory_bytes: pass
        if (fork := os.fork()) == 0:
            assert hold.usage().memory_bytes
            time.sleep(1000)
        print(sandbox.pid, fork, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with waiting(host) as process:
        go(process)
        sandbox, fork = (processes.look(int(number)) for number in process.stdout.readline().split())
        assert process.wait(10) == -9
        while (now := processes.look(sandbox.pid)) and now.started == sandbox.started and now.state != "Z":
            assert processes.same(fork)
            threading.Event().wait(0.01)
        assert processes.send(fork, 9)
    assert no_leftovers.settle() == set()


def test_many_sandboxes_share_one_watchdog(watch, no_leftovers):
    """Each is told apart, and the watchdog stays until the last has gone."""
    with (
        waiting("input()") as one,
        waiting("x = bytearray(50 << 20); x[::4096] = x[::4096]; input()") as other,
    ):
        small, large = watch(one, "memory"), watch(other, "memory")
        dog = KENNEL._dog
        go(one), go(other)
        while large.usage().memory_bytes < 50 * MiB:
            assert other.poll() is None
        large.release()
        assert small.usage().memory_bytes < 50 * MiB
        assert KENNEL._dog is dog
        assert one.poll() is None
        small.release()
        assert KENNEL._dog is None
    assert no_leftovers.settle() == set()


def test_nothing_is_left_of_a_watch(watch, no_leftovers):
    """Process and thread end with the last watch, also when the sandbox ended by itself."""
    with waiting("pass") as process:
        hold = watch(process, "memory", "cpus")
        go(process)
        process.wait()
        hold.release()
        hold.release()
        hold.kill()
    assert no_leftovers.settle() == set()


def test_time_over_the_quota_must_be_rested():
    """Two processors for a tenth of a second at half a processor's quota: a rest until it is even."""
    account = CpuAccount(0.5)
    assert account.update(1.0, 10.0) == pytest.approx(1.0)  # what was used before the first look is owed
    account = CpuAccount(0.5)
    account.update(0.0, 10.0)
    rest = account.update(0.2, 10.1)
    assert rest == pytest.approx((0.2 - 0.05) / 0.5)
    assert account.update(0.2, 10.1 + rest) == 0.0


def test_a_rest_is_not_endless():
    """A large debt is paid in parts, between which an interrupt is heard."""
    account = CpuAccount(0.1)
    account.update(0.0, 0.0)
    assert account.update(10.0, 1.0) == LONGEST_REST
    assert account.update(10.0, 2.0) == LONGEST_REST


def test_idleness_is_saved_up_only_for_a_moment():
    """An hour's idleness does not buy an hour's burst."""
    account = CpuAccount(0.5)
    account.update(0.0, 0.0)
    account.update(0.0, 3600.0)
    assert account.update(0.5, 3600.1) == pytest.approx((0.5 - 0.05 - 0.5 * BURST) / 0.5)


def test_time_of_the_unburied_is_not_forgotten():
    """A process that ends unwaited for takes its time out of the total; what comes after still counts."""
    account = CpuAccount(0.5)
    account.update(0.0, 0.0)
    account.update(10.0, 100.0)
    account.update(1.0, 101.0)
    account.update(3.0, 102.0)
    assert account.used == 12.0


def test_time_is_counted_without_a_quota():
    """Where there is nothing to keep there is still something to tell."""
    account = CpuAccount(None)
    assert account.update(5.0, 1.0) == 0.0
    assert account.used == 5.0


def test_memory_files_count_once_however_many_hold_them():
    """A file that is inherited, mapped and open in two processes is still one."""
    code = """
        import mmap, os, signal
        fd = os.memfd_create("x")
        os.write(fd, bytes(64 << 20))
        view = mmap.mmap(fd, 64 << 20)
        view[::4096] = bytes(len(view[::4096]))
        if os.fork() == 0: signal.pause()
        print("full", flush=True)
        signal.pause()
    """
    with waiting(code) as process:
        go(process)
        process.stdout.readline()
        found = processes.tree(process.pid)
        exact, upper = footprint.measure(found), footprint.estimate(found)
        for one in found:
            processes.send(one, 9)
    assert 64 * MiB <= exact.files < 65 * MiB
    assert exact.total < 110 * MiB
    assert upper >= exact.total


def test_children_are_found_with_and_without_the_kernel_s_list(monkeypatch):
    """Kernels without that list are searched instead, with the same result."""
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
        go(process)
        process.stdout.readline()
        while len(listed := {one.pid for one in processes.tree(process.pid)}) < 7:
            assert process.poll() is None
        monkeypatch.setattr(processes, "LISTS_CHILDREN", False)
        root, *others = processes.tree(process.pid)
        assert {one.pid for one in (root, *others)} == listed
        for one in others:
            processes.send(one, 9)


def test_a_signal_never_reaches_a_later_process_of_the_same_number():
    """Whoever has the number now, but began at another time, is a stranger."""
    with waiting() as process:
        found = processes.look(process.pid)
        stranger = processes.Process(found.pid, found.parent, found.state, 0.0, found.started - 1)
        assert not processes.send(stranger, 9)
        processes.kill_tree(stranger)
        assert process.poll() is None
        assert processes.send(found, 9)
        assert process.wait() == -9


def test_a_name_full_of_parentheses_does_not_confuse():
    """A program may call itself what it likes; what follows its name is still understood."""
    with waiting(
        "open('/proc/self/comm', 'w').write(') R 1 1 (('); print('named', flush=True); input()"
    ) as process:
        go(process)
        process.stdout.readline()
        assert processes.look(process.pid).parent != 1
