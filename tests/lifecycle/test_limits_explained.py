"""What stops at a limit says so where its user looks: in the cell."""

import tempfile
from pathlib import Path

import pytest

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel

MiB = 1 << 20


@pytest.fixture
def start():
    kernels = []
    with tempfile.TemporaryDirectory(prefix="notebook-") as path:
        Path(path).chmod(0o755)

        def start(policy):
            kernels.append(Kernel(BubblewrapEngine(), policy, Path(path)))
            return kernels[-1]

        yield start
        for kernel in kernels:
            kernel.close()


HOGS = {
    "a list": "hog = []\nwhile True: hog.append(bytearray(1 << 20))",
    "one block": "hog = bytearray(4 << 30)",
    "a memfd": "import os\nfd = os.memfd_create('hog')\nwhile True: os.write(fd, b'x' * (1 << 20))",
    "numpy": "import numpy\nhog = numpy.ones(1 << 30)",
}


@pytest.mark.parametrize("code", HOGS.values(), ids=HOGS)
def test_out_of_memory_is_said_in_the_cell(start, no_leftovers, code):
    """The running cell names used and allowed memory; the exit code is that of a limit."""
    kernel = start(Policy(memory=200 * MiB))
    ran = kernel.run(code)
    if ran.reply["content"]["ename"].endswith("MemoryError"):  # a watchdog's brake is met before its look
        assert "This kernel may use 200 MiB of memory" in ran.text("stderr")
        kernel.close()
        return
    sentence = "used 200 MiB of 200 MiB memory"
    assert sentence in ran.of("error")[0]["content"]["evalue"]
    assert sentence in ran.reply["content"]["evalue"]
    death = kernel.sandbox.ended.result(timeout=30)
    assert (death.kind, death.exit_code) == ("memory", ExitCode.LIMIT)
    kernel.close()


def test_a_child_out_of_memory_is_a_notice(start):
    """The kernel lives on; the cell says that one of its processes was killed."""
    kernel = start(Policy(memory=300 * MiB))
    hog = "x = bytearray(1 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1"
    ran = kernel.run(
        f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {hog!r}]).returncode)"
    )
    assert ran.text() == "-9\n"
    assert "memory limit was reached" in ran.text("stderr")
    assert kernel.value("'alive'") == "alive"


def test_too_many_processes_is_a_notice(start):
    """The error that Python raises does not say whose limit it was; the notice does."""
    kernel = start(Policy(pids=40))
    ran = kernel.run(
        "import subprocess\nchildren = []\n"
        "try:\n while True: children.append(subprocess.Popen(['sleep', '60']))\n"
        "finally:\n"
        " for child in children: child.kill()\n"
        " for child in children: child.wait()\n"
    )
    assert ran.reply["content"]["ename"] == "BlockingIOError"
    assert "'pids'" in ran.text("stderr")
    assert int(kernel.value("len(children)")) < 40
    assert kernel.value("'alive'") == "alive"
