"""A program of its own: becomes the kernel's Python by way of a mount that nothing can be written to.

    python -I -S begin.py CONTROL OUTPUT DIRECTORY PYTHON [ARGUMENT]...

The template's executable can be reached from inside a sandbox, as /proc/self/exe of what it forks, and
by the mount through which it was started: past every read-only mount of the sandbox's own. So that
mount is read-only as well: a copy of the machine's mounts that belongs to nobody, made by a child
(an ordinary user's needs a user namespace for it, and one does not come back from there).

CONTROL and OUTPUT are descriptors: the socket to the host, and the reading end of the pipe that
is standard output and error. The environment is the one that the kernel will have. Standard
library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
AT_EMPTY_PATH, AT_RECURSIVE = 0x1000, 0x8000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 0x1, 0o2000000
MOUNT_ATTR_RDONLY = 0x1
OPEN_TREE, MOUNT_SETATTR = 428, 442  # the same on every architecture we build for

CONTROL, OUTPUT = 3, 4
"""Where the template finds the two: its words are the kernel's own, and cannot say it."""

HIGH = 64
"""Descriptors from here on are out of the way of those."""

libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def read_only_mounts() -> int:
    """Return a descriptor of a read-only copy of all mounts, in namespaces of this process's own."""
    kinds = CLONE_NEWNS | (CLONE_NEWUSER if os.geteuid() else 0)
    _checked(libc.unshare(kinds), "unshare")
    tree = _checked(
        libc.syscall(
            ctypes.c_long(OPEN_TREE), -100, ctypes.c_char_p(b"/"),
            ctypes.c_uint(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
        ),
        "open_tree",
    )  # fmt: skip
    attributes = _MountAttributes(set=MOUNT_ATTR_RDONLY)
    _checked(
        libc.syscall(
            ctypes.c_long(MOUNT_SETATTR), tree, ctypes.c_char_p(b""),
            ctypes.c_uint(AT_EMPTY_PATH | AT_RECURSIVE),
            ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)),
        ),
        "mount_setattr",
    )  # fmt: skip
    return tree


def read_only(path: str) -> int:
    """Return a descriptor of a file, by a mount that is read-only for everybody."""
    near, far = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            socket.send_fds(far, [b"y"], [read_only_mounts()])
        except OSError as error:
            far.send(str(error).encode())
        os._exit(0)
    far.close()
    said, trees, _, _ = socket.recv_fds(near, 4096, 1)
    os.waitpid(child, 0)
    if not trees:
        raise OSError(said.decode())
    return os.open(os.path.realpath(path).lstrip("/"), os.O_PATH | os.O_CLOEXEC, dir_fd=trees[0])


def place_descriptors(control: int, output: int) -> None:
    """Put the two where the template finds them; what else is open closes when it begins."""
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, HIGH) for each in (control, output)]
    os.closerange(CONTROL, HIGH)
    for each in (control, output):
        if each >= HIGH:
            os.close(each)
    for fd, place in zip(kept, (CONTROL, OUTPUT), strict=True):
        os.dup2(fd, place)


def main() -> None:
    """Become the template, or say on the control socket why not, and end."""
    control, output = int(sys.argv[1]), int(sys.argv[2])
    directory, program, *words = sys.argv[3:]
    try:
        executable = fcntl.fcntl(read_only(program), fcntl.F_DUPFD_CLOEXEC, HIGH)
        place_descriptors(control, output)
        control = CONTROL
        os.chdir(directory)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the guest starts a kernel
        os.execve(executable, [program, *words], os.environ)  # noqa: S606 - the host's own words
    except OSError as error:
        reason = f"its Python cannot be started from a read-only mount: {error}"
        socket.socket(fileno=control).send(reason.encode(errors="replace"))
    os._exit(1)


if __name__ == "__main__":
    main()
