"""The two descriptors of the tunnel, and what is left in their old places."""

import subprocess
import sys

PROGRAM = """
import os
from sandbox_kernel.guest.descriptors import take_standard_streams
stdin, stdout = take_standard_streams()
print("a stray print", flush=True)
said = [os.read(stdin, 100), os.get_inheritable(stdin), os.get_inheritable(stdout)]
said += [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1)]
os.write(stdout, repr(said).encode())
"""


def test_nothing_else_touches_the_tunnel():
    """What is printed by accident goes nowhere, and no child inherits an end of the tunnel."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=b"from the host", capture_output=True, check=True, timeout=30
    )
    assert done.stdout.decode() == repr([b"from the host", False, False, "/dev/null", "/dev/null"])
