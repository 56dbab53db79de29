"""The guest: what runs inside the wall as PID 1, starts the kernel and relays its messages.

Imports `sandbox_kernel.wire`, the standard library and pyzmq, nothing else, ever: it runs on
whatever Python the sandbox has, next to user code.
"""

from sandbox_kernel.guest.supervisor import run

__all__ = ["run"]
