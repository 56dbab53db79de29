"""A forked child of the host does not keep its parent's sandboxes alive."""

import os
import tempfile
from pathlib import Path

from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel


def test_a_forked_child_holds_nothing_of_the_parents_sandbox(tmp_path, no_leftovers):
    """multiprocessing's fork, papermill's users: the child drops the tunnel's descriptors."""
    tmp_path.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="notebook-") as path:
        Path(path).chmod(0o755)
        kernel = Kernel(BubblewrapEngine(), Policy(), Path(path))
        held = {
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in (kernel.sandbox._process.stdin, kernel.sandbox._process.stdout)
        }
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            mine = {
                os.readlink(f"/proc/self/fd/{fd}")
                for fd in os.listdir("/proc/self/fd")
                if os.path.islink(f"/proc/self/fd/{fd}")
            }
            kernel.sandbox.kill()
            kernel.sandbox.close()
            kernel.front.close()
            os.write(writing, b"held" if held & mine else b"free")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 10) == b"free"
        os.close(reading)
        os.close(writing)
        assert kernel.value("1 + 1") == "2"  # the parent is none the worse
        kernel.close()
