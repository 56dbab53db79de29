"""However it ends, the end is reported, nothing said before is lost, and nothing goes on."""

import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox_kernel.wire import Channel, KernelExit, Message, Signal
from tests.guest.driver import AS_PID_1, GUEST, GuestEndedError, eventually, guest

ENDS = {
    "os._exit(3)": 3,
    "os.abort()": -signal.SIGABRT,
    "os.kill(os.getpid(), 9)": -signal.SIGKILL,
    "import ctypes; ctypes.string_at(0)": -signal.SIGSEGV,
}


@pytest.mark.parametrize("code", ENDS)
def test_a_crash_is_reported(own, code):
    """The exit status, peak memory and CPU time arrive; then the guest ends, itself in order."""
    own.execute(f"import os\n{code}")
    how = own.until(KernelExit)
    assert how.returncode == ENDS[code]
    assert 10_000_000 < how.max_rss < 1_000_000_000
    assert 0 < how.cpu_seconds < 60
    assert own.end() == 0


def test_a_crash_leaves_its_traceback_in_the_log(unstarted):
    """What a dying process writes to its standard error comes before the report."""
    unstarted.start(sys.executable, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)")
    log, how = unstarted.log_until_exit()
    assert "Segmentation fault" in log
    assert how.returncode == -signal.SIGSEGV


def test_a_shutdown_request_ends_it(own):
    """Reply first, then the report. ipykernel 7.4 hangs in a few of a hundred shutdowns: then SIGTERM."""
    own.ask("shutdown_request", {"restart": False}, channel=Channel.CONTROL)
    own.until(lambda heard: isinstance(heard, Message) and heard.channel is Channel.CONTROL)
    own.tell(Signal(signal.SIGTERM))
    assert own.until(KernelExit).returncode in {0, -signal.SIGTERM}
    assert own.end() == 0


DYING = """
import os, pathlib, time
kernel = get_ipython().kernel
for number in range(40):
    content = {"data": {"text/plain": "x" * 1_000_000}, "metadata": {}}
    kernel.send_response(kernel.iopub_socket, "display_data", content)
time.sleep(0.5)  # the kernel's own socket needs a moment; what it holds dies with it
pathlib.Path("dying").touch()
os._exit(3)
"""


def test_the_last_words_of_a_dying_kernel_arrive(own):
    """40 messages of 1 MB that the kernel published, and nobody had read when it died, all arrive."""
    own.execute(DYING)
    eventually((own.directory / "dying").exists)
    shown = 0
    while not isinstance(heard := own.hear(), KernelExit):
        shown += isinstance(heard, Message) and own.parse(heard)[1]["msg_type"] == "display_data"
    assert shown == 40


def sleepers(marker: str) -> list[int]:
    """Processes on this machine with `marker` in their command."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.fixture
def with_sleepers(own):
    """A kernel with descendants that hide from it: in sessions of their own, ignoring signals."""
    marker = f"marker{uuid.uuid4().hex}"
    child = (
        "import os, signal, time; os.setsid(); signal.signal(15, signal.SIG_IGN); "
        f"time.sleep(1000); '{marker}'"
    )
    own.run(
        "import os, subprocess, sys\n"
        f"for _ in range(3):\n subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "if not os.fork():\n"  # and one that has lost its parent
        f" subprocess.Popen([sys.executable, '-c', {child!r}]); os._exit(0)"
    )
    eventually(lambda: len(sleepers(marker)) == 4)
    return own, marker


def test_the_end_of_input_ends_everything(with_sleepers):
    """When the host is gone, no matter how, so is every process of the sandbox."""
    host, marker = with_sleepers
    host.hang_up()
    assert host.end() == 0
    assert eventually(lambda: not sleepers(marker))


def test_the_end_of_the_kernel_ends_everything(with_sleepers):
    """What the kernel has started does not outlive it."""
    host, marker = with_sleepers
    host.tell(Signal(signal.SIGKILL))
    assert host.end() == 0
    assert eventually(lambda: not sleepers(marker))


def test_the_end_of_the_kernel_ends_everything_even_if_nobody_reads(with_sleepers):
    """What the kernel has started does not live on for as long as its last words wait to be read."""
    host, marker = with_sleepers
    host.execute(DYING)
    eventually((host.directory / "dying").exists)
    assert eventually(lambda: not sleepers(marker), patience=4)
    assert host.end() == 0


def test_a_termination_signal_ends_everything(with_sleepers):
    """PID 1 would ignore SIGTERM by default; the guest takes it as its end."""
    host, marker = with_sleepers
    [pid] = [
        pid for pid in sleepers(GUEST[-1]) if pid != host.process.pid and is_below(pid, host.process.pid)
    ]
    os.kill(pid, signal.SIGTERM)
    assert host.end() == 0
    assert eventually(lambda: not sleepers(marker))


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def test_a_host_that_is_killed_takes_everything_with_it(directory):
    """kill -9 on the host closes its pipes, and that is enough."""
    marker = f"marker{uuid.uuid4().hex}"
    child = f"import time; time.sleep(1000); '{marker}'"
    cell = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    )
    host_code = f"""
import pathlib
from tests.guest.driver import AS_PID_1, guest
unguarded = [word for word in AS_PID_1 if word != "--die-with-parent"]
with guest(pathlib.Path({str(directory)!r}), *unguarded) as host:
    host.run({cell!r})
    print("up", flush=True)
    host.until(int)
"""
    process = subprocess.Popen([sys.executable, "-c", host_code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    assert eventually(lambda: sleepers(marker))
    process.kill()
    process.wait()
    process.stdout.close()
    assert eventually(lambda: not sleepers(marker))


def test_orphans_are_reaped(own):
    """Processes that lost their parent leave no zombies behind."""
    code = """
import os, pathlib, time
for _ in range(20):
    if not os.fork():
        if os.fork(): os._exit(0)
        os._exit(0)
    os.wait()
def zombies():
    states = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try: states.append(stat.read_text().rpartition(")")[2].split()[0])
        except OSError: pass
    return states.count("Z")
deadline = time.monotonic() + 10
while zombies() and time.monotonic() < deadline: time.sleep(0.01)
print(zombies())
"""
    assert own.run(code) == "0\n"


def test_input_for_a_dead_kernel_is_ignored(directory):
    """Requests and signals that cross with its death do no harm."""
    with guest(directory, *AS_PID_1) as own:
        own.execute("import os; os._exit(3)")
        with suppress(GuestEndedError):  # it may be quicker
            for _ in range(200):
                own.ask("kernel_info_request", {})
                own.tell(Signal(signal.SIGCONT))
        assert own.until(KernelExit).returncode == 3
        assert own.end() == 0


def test_a_kernel_that_is_replaced_by_nothing_still_ends(unstarted):
    """A command that does nothing is a kernel that has exited."""
    unstarted.start("/bin/true")
    assert unstarted.until(KernelExit).returncode == 0
    assert unstarted.end() == 0


def test_what_a_survivor_holds_open_does_not_delay_the_end(unstarted):
    """A descendant that keeps the log pipe open must not keep the report back."""
    unstarted.start("/bin/sh", "-c", "(sleep 1000 &) ; echo hello")
    log, how = unstarted.log_until_exit()
    assert (log, how.returncode) == ("hello\n", 0)
    assert unstarted.end() == 0
