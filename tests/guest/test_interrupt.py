"""Signals reach the kernel and whatever it runs, and never at the wrong moment."""

import signal
import sys
import time

import pytest

from sandbox_kernel.wire import Channel, KernelExit, Log, Message, Ready, Signal
from tests.guest.driver import eventually

BUSY = {
    "a sleep": "print('busy', flush=True)\ntime.sleep(100)",
    "a loop": "print('busy', flush=True)\nwhile True: pass",
    "a shell command": "get_ipython().system('echo busy; sleep 100')",
    "a subprocess": "print('busy', flush=True)\nsubprocess.run(['sleep', '100'])",
}


@pytest.mark.parametrize("name", BUSY)
def test_a_busy_cell_is_interrupted(host, name):
    """Whatever it waits for, the cell ends with KeyboardInterrupt (or the command's end), soon."""
    code = f"import subprocess, time\n{BUSY[name]}"
    request, _ = host.print_of(code)
    interrupted = time.monotonic()
    host.tell(Signal(signal.SIGINT))
    content = host.reply(request)
    assert time.monotonic() - interrupted < 5
    assert content.get("ename") == "KeyboardInterrupt" or name == "a shell command"
    assert host.run("print('alive')") == "alive\n"


def test_a_busy_cell_is_interrupted_under_a_flood_of_output(host):
    """While iopub is as full as the kernel can make it, the interrupt still passes at once."""
    request, _ = host.print_of("while True: print('x' * 10_000)")
    interrupted = time.monotonic()
    host.tell(Signal(signal.SIGINT))
    idle = False
    while not isinstance(heard := host.hear(), Message) or heard.channel is not Channel.SHELL:
        idle |= host.is_idle(heard, request)
    print(f"interrupted after {1000 * (time.monotonic() - interrupted):.0f} ms")
    assert time.monotonic() - interrupted < 5
    if not idle:  # it comes on another socket, before or after; until then the kernel aborts what it is asked
        host.until_idle(request)


def test_an_idle_kernel_does_not_mind(host):
    """An interrupt between cells does nothing."""
    host.tell(Signal(signal.SIGINT))
    assert host.run("print('alive')") == "alive\n"


def test_interrupts_during_the_start_do_not_kill(unstarted):
    """From its first instruction to its readiness the kernel is deaf to SIGINT."""
    unstarted.start()
    ready = False
    while not ready:
        unstarted.tell(Signal(signal.SIGINT))
        try:
            ready = isinstance(unstarted.hear(patience=0.001), Ready)
        except TimeoutError:
            continue
    request, _ = unstarted.print_of("import time\nprint('busy', flush=True)\ntime.sleep(100)")
    unstarted.tell(Signal(signal.SIGINT))
    assert unstarted.reply(request)["ename"] == "KeyboardInterrupt"


def test_deafness_is_what_saves_it(unstarted):
    """A process that listens to SIGINT from its start is killed by it: the test above tests something."""
    code = "import signal, time; signal.signal(2, signal.SIG_DFL); print('up', flush=True); time.sleep(100)"
    unstarted.start(sys.executable, "-c", code)
    unstarted.until(Log)
    unstarted.tell(Signal(signal.SIGINT))
    assert unstarted.until(KernelExit).returncode == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_other_signals_pass_too(own, number):
    """What kills a process kills the kernel, and the report says by which signal."""
    own.tell(Signal(number))
    assert own.until(KernelExit).returncode == -number


def test_the_whole_process_group_is_signalled(own):
    """Children of the kernel get what it gets."""
    child = (
        "import signal, time; signal.signal(10, lambda *_: open('heard', 'w'));"
        "print(1, flush=True); time.sleep(100)"
    )
    own.print_of(
        "import signal, subprocess, sys\nsignal.signal(10, signal.SIG_IGN)\n"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=-1)\n"
        "print(p.stdout.readline(), flush=True)"
    )
    own.tell(Signal(signal.SIGUSR1))
    eventually((own.directory / "heard").exists)
