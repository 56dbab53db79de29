"""Promise: a sandbox never has more processes, threads or processor time than its policy grants.

The bombs go off only so far: should a limit fail, the machine that runs the tests survives.
"""

import threading
import time

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits import plan_limits
from sandbox_kernel.policy import Policy
from tests.adversarial.boxes import attack, keeper, start  # noqa: F401 - a fixture
from tests.host.engines.bubblewrap.inside import PATIENCE

LIMIT = 40
WANTED = 300  # what every bomb makes if it is let

BOMBS = {
    "fork": f"""
        import os, signal
        made = 0
        try:
            while made < {WANTED}:
                if os.fork() == 0:
                    signal.pause()
                made += 1
        except BlockingIOError: pass
    """,
    "threads": f"""
        import threading
        made, over = 0, threading.Event()
        threading.stack_size(1 << 16)
        try:
            while made < {WANTED}:
                threading.Thread(target=over.wait, daemon=True).start()
                made += 1
        except RuntimeError: pass
    """,
    "daemons": f"""
        import os, signal
        made = 0
        reader, writer = os.pipe()
        while made < {WANTED}:
            try:
                child = os.fork()
            except BlockingIOError:
                break
            if child == 0:
                os.setsid()
                try:
                    if os.fork() == 0:
                        os.write(writer, b"x")
                        signal.pause()
                except BlockingIOError:
                    os.write(writer, b"-")
                os._exit(0)
            os.waitpid(child, 0)
            if os.read(reader, 1) == b"-":
                break
            made += 1
    """,
    "a shell's": f"""
        import os, subprocess
        bomb = "i=0; while [ $i -lt {WANTED} ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); echo $i; done"
        done = subprocess.run(["sh", "-c", bomb], capture_output=True, text=True)
        made = int((done.stdout.split() or [0])[-1])
    """,
}  # fmt: skip
REPORT = "\nprint(made, flush=True)\nimport os, signal\nos._exit(0)\n"


def bomb_code(code: str) -> str:
    from textwrap import dedent

    return dedent(code) + REPORT


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_the_bombs_work_where_there_is_room(tmp_path, bomb):
    """With room, each bomb makes what it wants."""
    assert attack(bomb_code(bomb), tmp_path, pids=WANTED + 100).out == f"{WANTED}\n"


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_at_the_limit(tmp_path, keeper, no_leftovers, bomb):  # noqa: F811
    """The kernel refuses what is too much, the attacker itself lives on, and nothing is left when it ends."""
    attacked = attack(bomb_code(bomb), tmp_path, pids=LIMIT)
    assert LIMIT // 2 < int(attacked.out) < LIMIT, attacked
    if plan_limits(Policy()).guest_pids is None:
        assert attacked.usage.pids_refused > 0


def test_a_classic_fork_bomb_is_ended(tmp_path, keeper, no_leftovers):  # noqa: F811
    """Processes that fork without end cannot outrun the kill."""
    code = """
        import os, time
        deadline = time.monotonic() + 60
        print("started", flush=True)
        while time.monotonic() < deadline:
            try: os.fork()
            except OSError: pass
    """
    process = start(code, tmp_path, Policy(pids=LIMIT))
    watcher = threading.Thread(target=process._process.wait)
    watcher.start()
    read_line(process.stdout)
    process.kill()
    watcher.join(10)
    assert process.poll() is not None
    process.close()
    assert no_leftovers.settle() == set()


def test_two_sandboxes_do_not_share_a_limit(tmp_path, keeper):  # noqa: F811
    """A sandbox that is full of processes leaves the other its own; so does the user's other work."""
    full = start(
        bomb_code(BOMBS["fork"]).replace("os._exit(0)", "signal.pause()"), tmp_path, Policy(pids=LIMIT)
    )
    try:
        assert int(read_line(full.stdout)) < LIMIT
        assert LIMIT // 2 < int(attack(bomb_code(BOMBS["fork"]), tmp_path, pids=LIMIT).out) < LIMIT
    finally:
        full.close()


BURN = """
    import os, time
    for _ in range(8):
        if os.fork() == 0:
            end = time.monotonic() + 3
            while time.monotonic() < end: pass
            os._exit(0)
    for _ in range(8): os.wait()
"""


def test_processor_time_is_shared_out(tmp_path, keeper):  # noqa: F811
    """Busy processes together get the quota, not a processor each."""
    began = time.monotonic()
    attacked = attack(BURN, tmp_path, cpus=0.1)
    elapsed = time.monotonic() - began
    assert attacked.usage.cpu_seconds < granted(elapsed), attacked


def test_processor_time_is_not_shared_out_below_the_quota(tmp_path, keeper):  # noqa: F811
    """The same work with the whole machine granted takes more than the small quota would give."""
    began = time.monotonic()
    attacked = attack(BURN.replace("monotonic() < end", "process_time() < 0.3"), tmp_path, cpus=64.0)
    assert attacked.usage.cpu_seconds > granted(time.monotonic() - began)


def granted(elapsed: float) -> float:
    """Return the seconds that a quota of 0.1 processors grants, and half a second for late looks."""
    return 0.1 * elapsed + 0.5


def test_what_the_user_stopped_stays_stopped(tmp_path, keeper):  # noqa: F811
    """Keeping the quota never continues a process that its owner has stopped."""
    code = """
        import os, signal, time
        if (child := os.fork()) == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(7)
        os.waitpid(child, os.WUNTRACED)
        end = time.monotonic() + 1
        while time.monotonic() < end: pass
        print(os.waitpid(child, os.WNOHANG | os.WCONTINUED))
        os.kill(child, signal.SIGKILL)
    """
    assert attack(code, tmp_path, cpus=0.3).out == "(0, 0)\n"


def read_line(descriptor: int) -> str:
    import os
    import select

    text = b""
    end = time.monotonic() + PATIENCE
    while not text.endswith(b"\n") and time.monotonic() < end:
        if select.select([descriptor], [], [], 1)[0]:
            chunk = os.read(descriptor, 100)
            if not chunk:
                break
            text += chunk
    return text.decode()
