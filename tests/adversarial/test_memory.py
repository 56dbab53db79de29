"""Promise: a sandbox never holds more memory than its policy grants, however it goes about it."""

import platform

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits import plan_limits
from sandbox_kernel.policy import Policy
from tests.adversarial.boxes import MiB, attack, keeper  # noqa: F401 - a fixture

LIMIT = 128 * MiB
ROOM = 2048 * MiB
TAKEN = 512  # MiB: what every bomb takes if it is let

EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]
"""The number of the call that ends one thread."""

FILL = "def fill(size): data = bytearray(size << 20); data[::4096] = b'x' * len(data[::4096]); return data\n"
BOMBS = {
    "one array": f"kept = fill({TAKEN})",
    "piece by piece": f"kept = [fill(4) for _ in range({TAKEN // 4})]",
    "threads": f"""
        from concurrent.futures import ThreadPoolExecutor
        kept = list(ThreadPoolExecutor(8).map(fill, [{TAKEN // 8}] * 8))
    """,
    "a shared mapping": f"import mmap; kept = mmap.mmap(-1, {TAKEN} << 20); kept.write(bytes({TAKEN} << 20))",
    "twenty children": f"""
        import os, signal
        ready, done = os.pipe(), os.pipe()
        for _ in range(20):
            if os.fork() == 0:
                kept = fill({TAKEN // 20})
                os.write(ready[1], b'x')
                os.close(ready[1])
                os.close(done[1])
                os.read(done[0], 1)
                os._exit(0)
        got = 0
        os.close(ready[1])
        while got < 20 and (data := os.read(ready[0], 20)):
            got += len(data)
        assert got == 20
    """,
    "a daemon": f"""
        import os
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                kept = fill({TAKEN})
                os.write(writer, b'x')
            os._exit(0)
        os.close(writer)
        assert os.read(reader, 1) == b'x'
    """,
    "a memory file": f"""
        import os
        kept = os.memfd_create('x')
        for _ in range({TAKEN}): os.write(kept, bytes(1 << 20))
    """,
    "files in /tmp": f"""
        with open('/tmp/x', 'wb') as file:
            for _ in range({TAKEN}): file.write(bytes(1 << 20)); file.flush()
    """,
}  # fmt: skip
HIDING = {
    "a memory file of a process that cannot be looked into": f"""
        import ctypes, os, signal
        assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE
        kept = os.memfd_create('x')
        for _ in range({TAKEN}): os.write(kept, bytes(1 << 20))
        signal.pause()
    """,
    "threads whose first one has ended": f"""
        import ctypes, signal, threading
        def hold():
            kept = fill({TAKEN})
            signal.pause()
        threading.Thread(target=hold).start()
        ctypes.CDLL(None).syscall({EXIT}, 0)
    """,
}  # fmt: skip
"""Memory that a process keeps a watchdog from seeing. Each stays until it is killed."""
KERNEL_MEMORY = {
    "memory files on their way": """
        import os, socket
        kept = []
        for _ in range(64):
            one, other = socket.socketpair()
            file = os.memfd_create('x')
            for _ in range(8): os.write(file, bytes(1 << 20))
            socket.send_fds(one, [b'x'], [file])
            os.close(file)
            kept.append((one, other))
    """,
    "sockets": """
        import os, resource, socket
        kept = []
        while len(kept) < 1000:
            one, other = socket.socketpair()
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            try:
                while True: one.send(bytes(1 << 16))
            except BlockingIOError: kept.append((one, other))
    """,
}
"""Memory that belongs to no process: a watchdog cannot see it."""


def test_there_is_a_limit_that_the_policy_names(keeper):  # noqa: F811
    """The plan says how memory is kept, and a watchdog admits that it is one."""
    (entry,) = [entry for entry in plan_limits(Policy()).enforcements() if entry.limit == "memory"]
    assert entry.by is not None
    assert entry.weak == (entry.by == "watchdog")


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_the_bombs_work_where_there_is_room(tmp_path, bomb):
    """With room, each bomb takes what it wants."""
    attacked = attack(FILL + bomb_code(bomb), tmp_path, memory=ROOM, tmp=ROOM // 2)
    assert (attacked.status, attacked.out) == (0, "took it all\n"), attacked
    assert attacked.usage.oom_kills == 0


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_at_the_limit(tmp_path, keeper, bomb):  # noqa: F811
    """The limit holds, the kill is counted, and the host lost no more than was granted."""
    attacked = attack(FILL + bomb_code(bomb), tmp_path, memory=LIMIT, tmp=ROOM // 2)
    assert "took it all" not in attacked.out, attacked
    assert attacked.usage.oom_kills > 0, attacked
    # A watchdog comes late, by the milliseconds between two looks, and by what a busy machine adds to them.
    margin = (
        0 if kept_by_kernel() else 4 * LIMIT
    )  # between two looks, on a machine that is as busy as tests make it
    assert attacked.usage.memory_bytes <= LIMIT + margin, attacked


@pytest.mark.parametrize("bomb", HIDING.values(), ids=HIDING)
def test_nobody_holds_memory_where_it_is_not_seen(tmp_path, keeper, bomb):  # noqa: F811
    """What hides is killed, however little a watchdog can see of it."""
    attacked = attack(FILL + bomb_code(bomb), tmp_path, memory=LIMIT)
    assert "took it all" not in attacked.out, attacked
    assert attacked.usage.oom_kills > 0, attacked


@pytest.mark.parametrize("bomb", KERNEL_MEMORY.values(), ids=KERNEL_MEMORY)
def test_kernel_memory_counts_where_the_kernel_keeps_the_limit(tmp_path, bomb):
    """Buffers that belong to no process are the sandbox's all the same; a watchdog says it misses them."""
    attacked = attack(FILL + bomb_code(bomb), tmp_path, memory=LIMIT)
    if kept_by_kernel():
        assert attacked.usage.oom_kills > 0, attacked
        assert attacked.usage.memory_bytes <= LIMIT, attacked
    else:
        detail = plan_limits(Policy()).enforcements()[0].detail
        assert "does not see data in sockets and pipes, nor files in memory" in detail


def test_a_greedy_child_costs_only_itself(tmp_path, keeper):  # noqa: F811
    """The parent lives on, learns of its child's death, and the kill is counted."""
    code = f"""
        import subprocess, sys
        child = subprocess.run([sys.executable, '-c', 'x = bytearray({TAKEN} << 20); x[::4096] = x[::4096]'])
        print(child.returncode)
    """
    attacked = attack(code, tmp_path, memory=LIMIT)
    assert (attacked.status, attacked.out) == (0, "-9\n"), attacked
    assert attacked.usage.oom_kills == 1


def test_shared_pages_count_once(tmp_path, keeper):  # noqa: F811
    """Forked children that share their parent's memory are not taken for many times as much."""
    code = """
        import os
        kept = fill(64)
        reader, writer = os.pipe()
        children = []
        for _ in range(8):
            if (child := os.fork()) == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            children.append(child)
        import time
        time.sleep(0.5)  # long enough for a watchdog to look several times
        os.close(writer)
        print([os.waitpid(child, 0)[1] for child in children])
    """
    attacked = attack(FILL + bomb_code(code), tmp_path, memory=LIMIT)
    assert attacked.out.splitlines()[0] == str([0] * 8), attacked
    assert attacked.usage.oom_kills == 0


def test_two_sandboxes_do_not_share_a_limit(tmp_path, keeper):  # noqa: F811
    """What one holds is not counted against the other."""
    for _ in range(2):
        attacked = attack(FILL + bomb_code("kept = fill(80)"), tmp_path, memory=LIMIT)
        assert attacked.out == "took it all\n", attacked


def kept_by_kernel() -> bool:
    return not plan_limits(Policy()).enforcements()[0].weak


def bomb_code(code: str) -> str:
    from textwrap import dedent

    return dedent(code) + "\nprint('took it all')\n"
