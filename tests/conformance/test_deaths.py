"""When a kernel dies the running cell says why, and only then is the death reported."""

import signal

import pytest

from sandbox_kernel.errors import ExitCode, StartError
from sandbox_kernel.host import registry
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import KERNEL_ARGV, PATIENCE

MiB = 1 << 20

ENDS = {
    "exit zero": ("import os; os._exit(0)", "exit", 0, "exit status 0"),
    "abort": ("import os; os.abort()", "crash", -signal.SIGABRT, "SIGABRT"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "crash", -signal.SIGSEGV, "SIGSEGV"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "crash", -signal.SIGKILL, "SIGKILL"),
}


@pytest.mark.parametrize(("code", "kind", "returncode", "words"), ENDS.values(), ids=ENDS)
def test_the_cell_says_why(start, code, kind, returncode, words):
    """Error output, error reply and idle carry the cause; poll has the real status."""
    kernel = start()
    ran = kernel.run(code)
    assert words in ran.of("error")[0]["content"]["evalue"] == ran.reply["content"]["evalue"]
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert (death.kind, death.returncode, kernel.sandbox.poll()) == (kind, returncode, returncode)
    assert death.exit_code == ExitCode.DIED


def test_death_is_reported_after_the_explanation(start):
    """Whoever sees `poll` change finds the replies already sent: of the cell, and of those behind it."""
    kernel = start()
    first = kernel.client.execute("import os; input('?'); os._exit(3)", allow_stdin=True)
    second = kernel.client.execute("2")
    assert kernel.client.get_stdin_msg(timeout=PATIENCE)["content"]["prompt"] == "?"
    kernel.client.input("on")
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert (death.kind, death.returncode, kernel.sandbox.poll()) == ("exit", 3, 3)
    ran = kernel.collect(first, timeout=2, until_idle=False)
    assert "exit status 3" in ran.reply["content"]["evalue"]
    assert kernel.collect(second, timeout=2, until_idle=False).status == "aborted"


def test_signals_to_the_dead_are_ignored(start):
    """Auto-restart interrupts a kernel that has died: nothing may be raised."""
    kernel = start()
    kernel.sandbox.kill()
    kernel.sandbox.ended.result(timeout=PATIENCE)
    for end_it in (kernel.sandbox.kill, kernel.sandbox.close, kernel.sandbox.close):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
            kernel.sandbox.send_signal(signum)
        end_it()


def test_somebody_else_may_stop_it(start):
    """`stop` reaches every engine's sandboxes by their id, and the running cell says who ended it."""
    kernel = start()
    msg_id = kernel.client.execute("import time; time.sleep(600)")
    until_busy(kernel, msg_id)
    registry.stop(kernel.sandbox.launch.name)
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert (death.kind, death.exit_code) == ("stopped", ExitCode.CANCELLED)
    assert "sandbox-kernel stop" in kernel.collect(msg_id).of("error")[0]["content"]["evalue"]


def until_busy(kernel, msg_id):
    while kernel.client.get_iopub_msg(timeout=PATIENCE)["parent_header"].get("msg_id") != msg_id:
        pass


def test_sigterm_ends_it(start):
    """SIGTERM reaches the kernel's group and ends it as any process."""
    kernel = start()
    kernel.sandbox.send_signal(signal.SIGTERM)
    assert kernel.sandbox.ended.result(timeout=PATIENCE).kind == "shutdown"


FAILS = {
    "no such program": (("/nowhere/python", "-f", "{connection_file}"), "/nowhere/python"),
    "no such module": (
        (*KERNEL_ARGV[:2], "no_such_kernel", "-f", "{connection_file}"),
        "No module named no_such_kernel",
    ),
    "an exception": (
        (KERNEL_ARGV[0], "-c", "import sys; sys.exit('the reason is {connection_file}')"),
        "the reason is",
    ),
}


@pytest.mark.parametrize(("argv", "words"), FAILS.values(), ids=FAILS)
def test_a_failed_start_shows_its_own_words(start, no_leftovers, argv, words):
    """What the guest or the kernel printed is in the error, and nothing is left."""
    kernel = start(argv=argv, wait=False)
    with pytest.raises(StartError, match=words):
        kernel.started.result(timeout=PATIENCE)
    kernel.close()


def test_a_start_that_hangs_ends_at_its_deadline(no_leftovers, start):
    """Whatever runs instead of a kernel, whoever waits is told after the policy's time."""
    argv = (KERNEL_ARGV[0], "-c", "import time; time.sleep(1000)  # {connection_file}")
    kernel = start(Policy(start_timeout=1), argv=argv, wait=False)
    with pytest.raises(StartError, match="not ready within its start_timeout of 1 s"):
        kernel.started.result(timeout=PATIENCE)


def test_a_missing_ipykernel_is_named_with_the_command_that_installs_it(start):
    """The most common failure tells what to type."""
    kernel = start(argv=(KERNEL_ARGV[0], "-S", *KERNEL_ARGV[1:]), wait=False)
    with pytest.raises(StartError, match="-m pip install ipykernel"):
        kernel.started.result(timeout=PATIENCE)


def test_a_cell_over_its_deadline_is_interrupted_or_ended_and_told(start, monkeypatch):
    """The interrupt comes with the reason, and the kernel and its state live on.

    A cell that swallows the interrupt has a grace; then the kernel is killed, and the cell says for what.
    """
    kernel = start(Policy(cell_timeout=1))
    kernel.run("kept = 1")
    ran = kernel.run("import time; time.sleep(60)")
    assert ran.reply["content"]["ename"] == "KeyboardInterrupt"
    assert "deadline of 1 s" in ran.reply["content"]["evalue"]
    assert "deadline of 1 s" in ran.of("error")[0]["content"]["traceback"][-1]
    assert kernel.value("kept") == "1"
    assert [notice.kind for notice in kernel.sandbox.notices] == ["deadline"]
    monkeypatch.setattr("sandbox_kernel.host.deadlines.GRACE", 0.5)
    ran = kernel.run("while True:\n try: time.sleep(9)\n except BaseException: pass")
    assert "deadline of 1 s" in ran.of("error")[0]["content"]["evalue"]
    assert kernel.sandbox.ended.result(timeout=PATIENCE).exit_code == ExitCode.DEADLINE


SLOW_PUBLISHER = """
import sys, threading, time
publisher = get_ipython().kernel.parent.iopub_thread
close, flush = publisher.io_loop.close, sys.stdout.flush
def close_slowly(close=close, sleep=time.sleep, **options):  # the kernel forgets its globals as it ends
    close(**options)
    sleep(2)
def flush_late(flush=flush, sleep=time.sleep, thread=threading.current_thread):
    if thread().name == "Control":
        sleep(1)
    flush()
publisher.io_loop.close, sys.stdout.flush = close_slowly, flush_late
"""


def test_a_shutdown_ends_the_kernel(start, no_leftovers):
    """It is no accident, also when its publisher goes while control has something to say.

    Of itself, ipykernel would wait for ever.
    """
    kernel = start()
    assert kernel.run(SLOW_PUBLISHER).status == "ok"
    kernel.request("control", "shutdown_request", {"restart": False})
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    assert (death.kind, death.exit_code) == ("shutdown", ExitCode.OK)
    assert (death.expected, death.returncode) == (True, 0)
    kernel.close()


def test_closing_a_busy_flooding_kernel_is_quick(start, no_leftovers):
    """Neither a busy loop, nor unread output, nor a process of the kernel's delays the end, or stays."""
    kernel = start()
    kernel.run("import subprocess; p = subprocess.Popen(['sleep', '1000'])")
    kernel.client.execute("while True: display({'text/plain': 'x' * 10_000}, raw=True)")
    while kernel.client.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "display_data":
        pass
    kernel.close()
    assert no_leftovers.settle() == set()
