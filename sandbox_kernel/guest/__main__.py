"""Run as `python -I …/guest/__main__.py [NURSERY WALL]`, with the tunnel as stdin and stdout.

NURSERY is the descriptor of a socket at whose other end a forked kernel waits, WALL what to raise around
another, should it not come: see `Nursery`.

Isolated mode (-I) ignores the environment and leaves this directory out of the search path,
so nothing that user code or the host's environment provides is imported into PID 1.
"""

import os
import sys


def _main() -> int:
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, os.path.dirname(package))
    from sandbox_kernel.guest.nursery import Nursery  # noqa: PLC0415 - found only now

    # First of all: who is forked can enter while the rest of this is imported.
    nursery = Nursery(int(sys.argv[1]), bytes.fromhex(sys.argv[2])) if len(sys.argv) > 1 else None

    from sandbox_kernel.guest.descriptors import take_standard_streams  # noqa: PLC0415
    from sandbox_kernel.guest.supervisor import run  # noqa: PLC0415

    stdin, stdout = take_standard_streams()
    return run(stdin, stdout, as_init=os.getpid() == 1, nursery=nursery)


if __name__ == "__main__":
    os._exit(_main())  # nothing is left to flush, and the interpreter takes its time to end
