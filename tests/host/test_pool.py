"""Warm sandboxes: there before they are wanted, each for one owner, and gone with their process."""

import json
import os
import secrets
import socket
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from msgspec.structs import replace

from sandbox_kernel.errors import StartError
from sandbox_kernel.host import pool as pools
from sandbox_kernel.host.audit import Audit, AuditSettings
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.memory import MemoryEngine
from sandbox_kernel.host.kernel_log import MAX_LOG, KernelLog
from sandbox_kernel.host.memory import Memory
from sandbox_kernel.host.pool import Pool, kind_of
from sandbox_kernel.host.registry import list_running
from sandbox_kernel.host.sandbox import Front, Sandbox
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import KERNEL_ARGV

PATIENCE = 60


@pytest.fixture
def pool(no_leftovers, monkeypatch):
    monkeypatch.setattr(pools, "UNUSED", PATIENCE)  # a busy machine is no reason to let go
    pool = Pool()
    pool.allowed = 1
    yield pool
    pool.drain()


@pytest.fixture
def front(no_leftovers):
    front = Front.create()
    yield front
    front.close()


def launch(directory, **changes):
    return replace(Launch(KERNEL_ARGV, Path(directory), secrets.token_hex(8)), **changes)


def kind(directory, policy=None, **changes):
    return kind_of(MemoryEngine(), policy or Policy(), launch(directory, **changes))


def warmed(pool, directory, policy=None):
    """Launch twice, in the pool's eyes, and wait until there is one more; return its kind and it."""
    same = kind(directory, policy)
    for _ in range(2):
        pool.launched(MemoryEngine(), same, launch(directory))
    return same, settled(pool)


def settled(pool):
    """Wait for the pool to have started what it is starting."""
    moment = threading.Event()
    while pool._starting or pool._meant:
        moment.wait(0.01)
    return next((warm.sandbox for warm in pool._warm.values()), None)


def test_what_was_meant_to_be_started_is_not_once_the_pool_is_drained(pool, directory):
    """Whoever has just been served has a moment for itself first; by its end nobody may want another."""
    same = kind(directory)
    for _ in range(2):
        pool.launched(MemoryEngine(), same, launch(directory))
    meant = pool._meant
    pool.drain()
    assert meant
    meant.join(PATIENCE)
    pool._start(MemoryEngine(), same, launch(directory))  # as a timer does whose time had come meanwhile
    assert (pool._meant, pool._starting, len(pool._warm)) == (None, None, 0)


def printed(front, code):
    """Return what a cell printed, for a client that comes now."""
    client, heard = BlockingKernelClient(), []
    client.load_connection_info(front.connection_info())
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)
    client.execute_interactive(code, timeout=PATIENCE, output_hook=heard.append)
    client.stop_channels()
    return [message["content"]["text"] for message in heard if message["msg_type"] == "stream"]


def test_what_makes_a_kind(directory, tmp_path, monkeypatch):
    """Whatever a launch can be told by from outside makes another kind."""
    same = kind(directory)
    assert kind(directory) == same
    assert kind(directory, Policy(memory=1 << 28)) != same
    assert kind(directory, argv=(*KERNEL_ARGV, "--debug")) != same
    assert kind(directory, argv=("/usr/bin/python3", *KERNEL_ARGV[1:])).software != same.software
    assert kind(directory, env={"A": "1"}) != same
    assert kind(directory, fork=False) != same
    assert kind(tmp_path) != same
    monkeypatch.setenv("GIVEN", "1")
    named = kind(directory, Policy(env=("GIVEN",)))
    monkeypatch.setenv("GIVEN", "2")
    assert kind(directory, Policy(env=("GIVEN",))) != named


def test_another_folder_of_the_same_name_is_another_kind(tmp_path):
    """The wall of a warm one holds the folder, whatever its name may mean by now."""
    folder, mount = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    mount.mkdir()
    policy = Policy(mounts=(f"{mount}:ro",))
    before = kind(folder, policy)
    for path in (folder, mount):
        path.rename(tmp_path / "old")
        path.mkdir()
        after = kind(folder, policy)
        assert after != before
        before = after
        (tmp_path / "old").rmdir()


def test_a_new_socket_in_the_folder_makes_another_kind(directory):
    """The wall of a warm one does not cover it, as that of a new one does."""
    before = kind(directory)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(Path(directory) / "door"))
        assert kind(directory) != before
        (Path(directory) / "door").unlink()
    assert kind(directory) == before


def test_a_socket_that_was_bound_anew_makes_another_kind(directory):
    """What covered the old one went when its program removed it; the numbers of its file are given again."""
    door, clock = Path(directory) / "door", Path(directory) / "clock"

    def bind():
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(door))
        return kind(directory)

    before = bind()
    assert kind(directory) == before
    while clock.touch() or clock.stat().st_ctime_ns == door.stat().st_ctime_ns:
        pass  # a file system's clock ticks some hundred times a second; kernels take longer to start
    door.unlink()
    assert bind() != before


def test_an_environment_that_was_made_anew_makes_another_kind(tmp_path):
    """It has the same packages and the same name, and a warm one holds what was removed."""
    home = Path(sys.base_prefix)
    environment = tmp_path / "environment"
    named = f"lib/python3.{sys.version_info.minor}"

    def make():
        (environment / "bin").mkdir(parents=True)
        (environment / named).mkdir(parents=True)
        (environment / named / "os.py").touch()
        (environment / "pyvenv.cfg").write_text(f"home = {home / 'bin'}\n")
        (environment / "bin" / "python").symlink_to(home / "bin" / "python3")
        return kind(tmp_path, Policy(workspace="none"), argv=(str(environment / "bin" / "python"),))

    before = make()
    environment.rename(tmp_path / "old")
    after = make()
    assert after.software == before.software
    assert after != before


def test_a_folder_that_is_not_shared_does_not_matter(directory, tmp_path):
    """Without a workspace, notebooks of all folders have the same kernels."""
    policy = Policy(workspace="none")
    assert kind(directory, policy) == kind(tmp_path, policy)


def test_one_is_kept_from_the_second_launch_on(pool, directory):
    """A script that runs one notebook pays for one kernel."""
    same = kind(directory)
    pool.launched(MemoryEngine(), same, launch(directory))
    assert settled(pool) is None
    pool.launched(MemoryEngine(), same, launch(directory))
    assert settled(pool)


def test_it_has_its_kinds_variables_whatever_the_process_has_by_now(pool, directory, front, monkeypatch):
    """A batch sets a variable for each launch: one that is kept for the first has not the second's."""
    policy = Policy(env=("GIVEN",))
    monkeypatch.setenv("GIVEN", "first")
    same = kind(directory, policy)
    monkeypatch.setenv("GIVEN", "second")
    for _ in range(2):
        pool.launched(MemoryEngine(), same, launch(directory))
    settled(pool)
    sandbox = pool.take(same)
    sandbox.adopt(front).result(PATIENCE)
    assert printed(front, "import os; print(os.environ['GIVEN'])") == ["first\n"]
    sandbox.close()


def test_what_has_become_another_kind_while_it_started_is_not_kept(pool, tmp_path):
    """It holds the new folder, and would be taken for one with the old."""
    folder = tmp_path / "folder"
    folder.mkdir()
    before = kind(folder)
    folder.rename(tmp_path / "old")
    folder.mkdir()
    for _ in range(2):
        pool.launched(MemoryEngine(), before, launch(folder))
    assert settled(pool) is None


def test_each_has_one_owner(pool, directory, tmp_path):
    """What was taken is given to nobody else; another kind gets none."""
    same, warm = warmed(pool, directory)
    assert pool.take(kind(tmp_path)) is None
    assert pool.take(same) is warm
    assert pool.take(same) is None
    warm.close()


def test_a_dead_one_is_not_given(pool, directory):
    """It ended while it waited: the launch is an ordinary one."""
    same, warm = warmed(pool, directory)
    warm.kill()
    warm.ended.result(PATIENCE)
    assert pool.take(same) is None


def test_an_old_one_is_not_given(pool, directory, monkeypatch):
    """Nor does it wait for ever: what it knows of the machine gets old."""
    same, warm = warmed(pool, directory)
    monkeypatch.setattr(pools, "MAX_AGE", 0)
    assert pool.take(same) is None
    assert warm.ended.result(PATIENCE)


def test_an_old_one_goes_by_itself(pool, directory, monkeypatch):
    """Its memory is somebody else's by then."""
    monkeypatch.setattr(pools, "MAX_AGE", 0.05)
    _, warm = warmed(pool, directory)
    assert warm.ended.result(PATIENCE)
    assert not pool._warm


def test_it_goes_after_the_last_owner(pool, directory, monkeypatch):
    """Whoever has closed all notebooks wants no process and no container to stay."""
    monkeypatch.setattr(pools, "UNUSED", 0.01)
    owners = [Sandbox(Policy(), launch(directory), MemoryEngine(), None) for _ in range(2)]
    for owner in owners:
        owner.start().result(PATIENCE)
        pool.owned(owner)
    _, warm = warmed(pool, directory)
    owners[0].close()
    assert not warm.ended.done()
    assert pool._leaving is None
    owners[1].close()
    assert warm.ended.result(PATIENCE)
    assert not pool._warm


def test_the_time_without_owners_counts_from_the_last_one(pool, directory):
    """It would else end a moment after the second notebook has, because the first had long before."""
    owners = [Sandbox(Policy(), launch(directory), MemoryEngine(), None) for _ in range(2)]
    for owner in owners:
        owner.start().result(PATIENCE)
    pool.owned(owners[0])
    warmed(pool, directory)
    owners[0].close()
    assert pool._leaving is not None
    pool.owned(owners[1])
    assert pool._leaving is None
    owners[1].close()
    assert pool._leaving is not None


def test_few_are_kept(pool, directory, tmp_path):
    """A new kind takes the place of the oldest."""
    _, first = warmed(pool, directory)
    second = kind(tmp_path)
    for _ in range(2):
        pool.launched(MemoryEngine(), second, launch(tmp_path))
    settled(pool)
    assert first.ended.result(PATIENCE)
    assert list(pool._warm) == [second]


@pytest.mark.parametrize(("memory", "free"), [(4 << 30, 64 << 30), (64 << 30, 1 << 30)])
def test_none_is_kept_where_memory_is_short(pool, directory, monkeypatch, memory, free):
    """A small machine keeps none by itself, and a full one none at all."""
    pool.allowed = None
    monkeypatch.setattr(pools, "memory", lambda: Memory(memory, free))
    _, warm = warmed(pool, directory)
    assert warm is None


def test_what_cannot_be_started_is_not_kept(pool, directory):
    """The next launch tells why, and there may be another try."""
    broken = kind(directory, argv=(sys.executable, "-c", "raise SystemExit(3)", "{connection_file}"))
    for _ in range(2):
        pool.launched(MemoryEngine(), broken, launch(directory, argv=broken.argv))
        assert settled(pool) is None


def test_draining_ends_all(pool, directory, no_leftovers):
    """Nothing of them is left when it returns."""
    _, warm = warmed(pool, directory)
    pool.drain()
    assert warm.ended.done()
    assert no_leftovers.settle() == set()


def test_a_fork_has_none_of_its_parents(pool, directory):
    """Two owners of one sandbox would be one too many."""
    same, warm = warmed(pool, directory)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        pool.abandon()
        os.write(writing, b"none" if pool.take(same) is None else b"some")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"none"
    os.close(reading)
    os.close(writing)
    assert pool.take(same) is warm
    warm.close()


# Taking over


@pytest.fixture
def warm(directory, no_leftovers):
    sandbox = Sandbox(Policy(session_timeout=1000), launch(directory), MemoryEngine(), None)
    sandbox.start().result(PATIENCE)
    yield sandbox
    sandbox.close()


def test_the_owners_clocks_start_with_the_owner(warm, front):
    """However long it has waited, a session has its whole time."""
    assert warm._tunnel._deadlines.next_due() is None
    warm.adopt(front).result(PATIENCE)
    assert warm._tunnel._deadlines.next_due() is not None


def test_it_is_seen_and_written_down_when_it_is_somebodys(warm, front, tmp_path):
    """`ps` shows it from then on, and the audit log begins there."""
    path = tmp_path / "audit.jsonl"
    assert warm.launch.name not in {entry.id for entry in list_running()}
    assert not path.exists()
    warm.adopt(front, audit=Audit(AuditSettings(mode="required", path=path))).result(PATIENCE)
    assert warm.launch.name in {entry.id for entry in list_running()}
    assert json.loads(path.read_text().splitlines()[0])["event"] == "session_start"


def test_it_is_written_down_where_its_owner_is(directory, front, tmp_path, no_leftovers):
    """Without a workspace it may have been started for a notebook in another folder."""
    policy, path = Policy(workspace="none"), tmp_path / "audit.jsonl"
    sandbox = Sandbox(policy, launch(directory), MemoryEngine(), None)
    sandbox.start().result(PATIENCE)
    audit = Audit(AuditSettings(mode="required", path=path))
    sandbox.adopt(front, directory=tmp_path, audit=audit).result(PATIENCE)
    [entry] = [entry for entry in list_running() if entry.id == sandbox.launch.name]
    assert entry.directory == str(tmp_path)
    assert json.loads(path.read_text().splitlines()[0])["directory"] == str(tmp_path)
    sandbox.close()


def test_who_comes_too_late_is_told(warm, front):
    """Then there is the ordinary launch."""
    warm.kill()
    warm.ended.result(PATIENCE)
    with pytest.raises(StartError):
        warm.adopt(front).result(PATIENCE)


def test_where_nobody_can_connect_it_ends(warm, front):
    """A front without a place serves nobody, and nothing is left of the sandbox."""
    front.close()
    with pytest.raises(StartError, match="could not be taken over"):
        warm.adopt(front).result(PATIENCE)
    assert warm.ended.result(PATIENCE)


def test_an_owner_hears_its_own_cells_and_the_whole_log(directory, front, no_leftovers):
    """What a kernel publishes while nobody is there is gone; what its process has said is told."""
    code = (
        "import sys; print('early', file=sys.stderr, flush=True); "
        "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    )
    early = launch(directory, argv=(sys.executable, "-c", code, *KERNEL_ARGV[3:]))
    sandbox, log = Sandbox(Policy(), early, MemoryEngine(), None), []
    sandbox.start().result(PATIENCE)
    sandbox.adopt(front, log=log.append).result(PATIENCE)
    assert printed(front, "print(6 * 7)") == ["42\n"]
    sandbox.close()
    assert "early\n" in "".join(log)


def test_an_owner_hears_no_more_of_the_log_than_of_another():
    """However much was said before there was anybody to tell."""
    log, told = KernelLog(lambda _: None, Masks()), []
    for _ in range(3):
        log.note("x" * MAX_LOG)
    log.hand_over(told.append)
    assert len("".join(told)) == MAX_LOG


@pytest.mark.parametrize("piece", ["", "\n", "x" * 200])
def test_a_log_in_small_pieces_ends_as_well(piece):
    """Each piece is a line of the host's log, and has more before it than is in it."""
    told = []
    log = KernelLog(told.append, Masks())
    for _ in range(20_000):
        log.note(piece)
    assert 1000 < len(told) < 20_000
    assert sum(80 + len(each) for each in told) < 1.1 * MAX_LOG
