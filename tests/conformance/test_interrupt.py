"""Interrupt stops what runs, whatever it is, and never the kernel."""

import signal

import pytest

from tests.conformance.kernel import PATIENCE

BUSY = {
    "a loop": "while True: pass",
    "a sleep in C": "import time; time.sleep(100)",
    "a shell command": "!sleep 100",
    "a subprocess": "import subprocess; subprocess.run(['sleep', '100'])",
    "a pipe of subprocesses": "import subprocess; subprocess.run('sleep 100 | cat', shell=True)",
    "a flood": "while True: print('x' * 1000)",
}


def wait_busy(kernel):
    """Return once the cell has begun to run."""
    while kernel.client.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "stream":
        pass


@pytest.mark.parametrize("code", BUSY.values(), ids=BUSY)
def test_interrupt_reaches_whatever_runs(kernel, code):
    """The cell ends with KeyboardInterrupt (or its child's end) and the kernel answers the next one."""
    msg_id = kernel.client.execute("print('begun', flush=True)\n" + code)
    wait_busy(kernel)
    kernel.sandbox.send_signal(signal.SIGINT)
    if code.startswith("!"):
        insist(kernel)
    ran = kernel.collect(msg_id)
    assert ran.status == "error" or "sleep" in code
    assert kernel.value("'alive'") == "alive"


def insist(kernel):
    """Interrupt until the cell is answered: IPython loses one that comes while its terminal is made."""
    for _ in range(PATIENCE):
        if kernel.client.shell_channel.socket.poll(1000):
            return
        kernel.sandbox.send_signal(signal.SIGINT)


FLOODS = {
    "displays": "while True: display({'text/plain': 'x' * 100}, raw=True)",
    "flushes": "while True: print('x', flush=True)",
}


@pytest.mark.parametrize("code", FLOODS.values(), ids=FLOODS)
def test_floods_may_be_interrupted_again_and_again(kernel, code):
    """Wherever in the way of a message an interrupt falls, the kernel goes on publishing."""
    for _ in range(30):
        msg_id = kernel.client.execute("print('begun', flush=True)\n" + code)
        wait_busy(kernel)
        kernel.sandbox.send_signal(signal.SIGINT)
        insist(kernel)
        assert kernel.collect(msg_id).status == "error"
    assert kernel.value("'alive'") == "alive"


def test_interrupt_by_message(kernel):
    """interrupt_request over control does the same: the kernel is not PID 1."""
    msg_id = kernel.client.execute(
        "print('begun', flush=True)\nimport subprocess; subprocess.run(['sleep', '100'])"
    )
    wait_busy(kernel)
    assert kernel.request("control", "interrupt_request")["content"]["status"] == "ok"
    assert kernel.collect(msg_id).status == "error"
    assert kernel.value("'alive'") == "alive"


def test_interrupting_an_idle_kernel_does_nothing(kernel):
    """Many interrupts between two cells harm neither."""
    for _ in range(20):
        kernel.sandbox.send_signal(signal.SIGINT)
    assert kernel.value("'alive'") == "alive"


def test_interrupting_a_starting_kernel_does_not_kill_it(start):
    """An impatient user's interrupts during the imports are survived."""
    kernel = start(wait=False)
    while not kernel.started.done():
        kernel.sandbox.send_signal(signal.SIGINT)
        with_pause(kernel.started)
    assert kernel.started.exception() is None


def with_pause(future):
    """Give the kernel a moment of its start."""
    import concurrent.futures

    concurrent.futures.wait([future], timeout=0.02)
