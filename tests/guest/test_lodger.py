"""The guest in a thread of another process, as the in-memory engine runs it."""

import os
import threading

import pytest

from sandbox_kernel.guest.kernel import Exit, Kernel
from sandbox_kernel.guest.supervisor import run
from sandbox_kernel.wire import KernelExit, Ready, Signal
from tests.guest.driver import Host, eventually, guest


class Thread:
    """Looks enough like a process for `Host`."""

    def __init__(self):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.stdin, self.stdout = os.fdopen(ours_out, "wb", 0), os.fdopen(ours_in, "rb", 0)
        self.result = None
        self.thread = threading.Thread(target=self._serve, args=(theirs_in, theirs_out))
        self.thread.start()

    def _serve(self, stdin, stdout):
        self.result = run(stdin, stdout, as_init=False)

    def wait(self, patience):
        self.thread.join(patience)
        return self.result


@pytest.fixture
def lodger(directory):
    process = Thread()
    yield Host(process, directory)
    process.stdin.close()
    process.thread.join()
    process.stdout.close()


def test_a_kernel_runs_in_a_thread(lodger):
    """Cells, interrupts and the end work as in a process of its own."""
    lodger.start()
    lodger.until(Ready)
    assert lodger.run("print(6 * 7)") == "42\n"
    request, _ = lodger.print_of("import time\nprint('busy', flush=True)\ntime.sleep(100)")
    lodger.tell(Signal(2))
    assert lodger.reply(request)["ename"] == "KeyboardInterrupt"
    lodger.execute("import os; os._exit(3)")
    assert lodger.until(KernelExit).returncode == 3
    assert lodger.end() == 0


def test_the_end_of_input_ends_kernel_and_thread(lodger):
    """Nothing of it is left in the process."""
    lodger.start()
    lodger.until(Ready)
    pid = int(lodger.run("import os; print(os.getpid())"))
    before = len(os.listdir("/proc/self/fd"))
    lodger.hang_up()
    assert lodger.end() == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert len(os.listdir("/proc/self/fd")) < before


def test_the_end_of_the_kernel_ends_its_children(lodger):
    """Its whole process group goes with it, before the report."""
    lodger.start()
    lodger.until(Ready)
    pid = int(lodger.run("import subprocess; print(subprocess.Popen(['sleep', '100']).pid)"))
    lodger.execute("import os; os._exit(3)")
    assert lodger.until(KernelExit).returncode == 3
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid))


def is_zombie(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def test_other_children_are_left_alone(lodger):
    """A child of the host process is the host's to wait for."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    lodger.start()
    lodger.until(Ready)
    assert os.waitpid(child, 0)[0] == child


def test_a_kernel_that_was_reaped_is_not_signalled(directory):
    """Its process id may belong to somebody else by now."""
    with guest(directory) as host:
        pid = int(host.run("import os; print(os.getpid())"))

        class Reaped:
            returncode = None

        Reaped.pid = pid
        kernel = Kernel(Reaped(), -1)
        kernel.ended(Exit(0, 0, 0.0))
        kernel.signal(9)
        assert host.run("print('alive')") == "alive\n"
