"""A process that has imported what a kernel imports, and forks into sandboxes.

    host ── control socket ──> template ──fork──> K ──setns, fork──> K0 ──fork──> the kernel
                                                  │                  └ ends: the kernel is PID 1's
    guest (PID 1) ── nursery socket ──────────────┴ its own pidfd; then the kernel's number; the order

Nothing of a user's ever reaches the template: it is started with a kernel's plain environment, and then
hears one word only, to fork. Who to be and which walls to raise (these name folders) each fork is told by
the host alone, and what is granted comes to the kernel itself, from the guest.

Before any code of a user's runs, the kernel's process has been put under the sandbox's limits by the
host, has entered the namespaces, given up every capability, raised Landlock's wall, loaded the
filter of system calls; and it has compared itself with PID 1, which was started the usual way. If
anything of this fails it ends, and the guest starts a kernel the usual way.
"""

from .serving import serve

__all__ = ["serve"]
