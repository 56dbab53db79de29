"""What processes hold and use."""

import os
import subprocess
import sys
from pathlib import Path

from sandbox_kernel.bench.processes import container_of, machine_cpu, memory_of, named, own_cpu, tree

MIB = 1 << 20


def test_memory_is_that_of_the_whole_tree() -> None:
    """A child's pages count for its parent's tree, and private ones are among those that are shared out."""
    alone = memory_of({os.getpid()})
    code = f"x = bytearray(b'x' * {64 * MIB}); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert child.pid in tree([os.getpid()])
        both = memory_of(tree([os.getpid()]))
        child.kill()
    assert both.private - alone.private > 60 * MIB
    assert both.shared_out >= both.private
    assert memory_of({child.pid}).private == 0


def test_a_process_is_found_by_its_name() -> None:
    """Whatever calls itself so; what is in no container is its own keeper."""
    name = f"skb-{os.getpid()}"
    code = f"open('/proc/self/comm', 'w').write({name!r}); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert named(name) == {child.pid}
        assert container_of(child.pid) == child.pid
        child.kill()


def test_cpu_grows_with_work() -> None:
    """Work shows in this process's time, and in the machine's."""
    own, machine = own_cpu(), machine_cpu()
    while own_cpu() < own + 0.1:
        Path("/proc/self/stat").read_text()
    assert machine_cpu() - machine > 0.05
