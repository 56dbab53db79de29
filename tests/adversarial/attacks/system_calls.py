"""Promise: the kernel's dangerous doors are shut: ptrace, io_uring, keyrings, odd sockets, set-id files.

Each is an expression, so that the same text is run behind bubblewrap's wall with and without its filter
(`tests.adversarial.test_syscalls`). It sees the file "file" as `fd`, a terminal `tty`, `iovec`, and
`call(name, *arguments)`, which answers like libc's syscall().
"""

import ctypes
import os
import pty
import re
import struct

from tests.adversarial.attack import OWN_KERNEL, attack, checked, libc

CALLS = {
    # Looking into other processes.
    "ptrace": "call('ptrace', 0, 0, 0, 0)",
    "process_vm_readv": "call('process_vm_readv', os.getpid(), iovec, 1, iovec, 1, 0)",
    "process_vm_writev": "call('process_vm_writev', os.getpid(), iovec, 1, iovec, 1, 0)",
    "kcmp": "call('kcmp', os.getpid(), os.getpid(), 0, 0, 0)",
    "pidfd_getfd": "call('pidfd_getfd', os.pidfd_open(os.getpid()), 0, 0)",
    "process_madvise": "call('process_madvise', os.pidfd_open(os.getpid()), iovec, 1, 4, 0)",
    # Large and young parts of the kernel.
    "io_uring_setup": "call('io_uring_setup', 1, ctypes.create_string_buffer(120))",
    "io_setup": "call('io_setup', 1, ctypes.byref(ctypes.c_ulong()))",
    "userfaultfd": "call('userfaultfd', 1)",
    "memfd_secret": "call('memfd_secret', 0)",
    # A thread's own table of descriptors, which the watchdog of memory does not see.
    "close_range that unshares": "call('close_range', 1000, 1000, 2)",
    "vmsplice": "call('vmsplice', os.pipe()[1], iovec, 1, 0)",
    "fanotify_init": "call('fanotify_init', 0x200, 0)",
    # Keyrings are not in any namespace.
    "keyctl": "call('keyctl', 0, -3, 1)",
    "add_key": "call('add_key', b'user', b'a', b'b', 1, -2)",
    "request_key": "call('request_key', b'user', b'a', 0, 0)",
    # Namespaces and mounts. CLONE_FS alone shows that unshare is refused as a whole.
    "unshare a user namespace": "call('unshare', 0x10000000)",
    "unshare": "call('unshare', 0x200)",
    "clone a user namespace": "call('clone', 0x10000011, 0, 0, 0, 0)",
    "clone a network namespace": "call('clone', 0x50000011, 0, 0, 0, 0)",
    "setns": "call('setns', -1, 0)",
    "open_tree": "call('open_tree', -100, b'/', 0)",
    "name_to_handle_at": "call('name_to_handle_at', -100, b'/', ctypes.create_string_buffer(136), iovec, 0)",
    # Switching protections off.
    "personality without randomised addresses": "call('personality', 0x0040000)",
    "personality with executable data": "call('personality', 0x0400000)",
    # Sockets that would load modules into the host's kernel, or reach past the network namespace.
    "AF_VSOCK": "call('socket', 40, 1, 0)",
    "AF_VSOCK behind a bit that the kernel drops": "call('socket', (1 << 32) + 40, 1, 0)",
    "AF_ALG": "call('socket', 38, 5, 0)",
    "AF_BLUETOOTH": "call('socket', 31, 5, 0)",
    "AF_TIPC": "call('socket', 30, 5, 0)",
    "AF_CAN": "call('socket', 29, 2, 0)",
    "AF_RDS": "call('socket', 21, 5, 0)",
    "AF_SMC": "call('socket', 43, 1, 0)",
    "NETLINK_NETFILTER": "call('socket', 16, 3, 12)",
    "NETLINK_KOBJECT_UEVENT": "call('socket', 16, 3, 15)",
    "SCTP": "call('socket', 2, 1, 132)",
    "MPTCP": "call('socket', 2, 1, 262)",
    "DCCP": "call('socket', 10, 6, 33)",
    "UDP-Lite": "call('socket', 10, 2, 136)",
    "ping": "call('socket', 2, 2, 1)",
    "socketpair of another family": "call('socketpair', 30, 5, 0, iovec)",
    "TCP_ULP, the kernel's TLS": "call('setsockopt', call('socket', 2, 1, 6), 6, 31, b'tls', 3)",
    "TCP_ULP, a dropped bit set": "call('setsockopt', call('socket', 2, 1, 6), (1 << 32) + 6, 31, b'tls', 3)",
    # Typing into terminals, and line disciplines, which load modules.
    "TIOCSTI": "call('ioctl', tty, 0x5412, b'x')",
    "TIOCSTI behind a bit that the kernel drops": "call('ioctl', tty, (1 << 32) + 0x5412, b'x')",
    "TIOCLINUX": "call('ioctl', tty, 0x541c, iovec)",
    "TIOCSETD": "call('ioctl', tty, 0x5423, ctypes.byref(ctypes.c_int(3)))",
    # Set-id files, in every way that leaves one.
    "chmod set-uid": "libc.chmod(b'file', 0o4755)",
    "chmod set-gid": "libc.chmod(b'file', 0o2755)",
    "fchmod": "libc.fchmod(fd, 0o4755)",
    "fchmodat": "libc.fchmodat(-100, b'file', 0o4755, 0)",
    "open": "libc.open(b'new', os.O_CREAT | os.O_WRONLY, 0o4755)",
    "openat": "libc.openat(-100, b'new', os.O_CREAT | os.O_WRONLY, 0o4755)",
    "openat O_TMPFILE": "libc.openat(-100, b'.', os.O_TMPFILE | os.O_WRONLY, 0o4755)",
    "openat2": "call('openat2', -100, b'new', struct.pack('QQQ', 0o101, 0o4755, 0), 24)",
    "fchmodat2": "call('fchmodat2', -100, b'file', 0o4755, 0)",
    "creat": "libc.creat(b'new', 0o4755)",
    "mknod": "libc.mknod(b'new', 0o104755, 0)",
    "mknodat": "libc.mknodat(-100, b'new', 0o104755, 0)",
    "mknod a character device": "libc.mknod(b'new', 0o20644, 0)",
    # The newer ways in, whose arguments the filter cannot see.
    "clone3": "call('clone3', struct.pack('11Q', 0x10000000, *[0] * 3, 17, *[0] * 6), 88)",
    # Memory that belongs to no process.
    "System V shared memory": "call('shmget', 0, 4096, 0o1600)",
    "System V semaphores": "call('semget', 0, 1, 0o1600)",
    "System V queues": "call('msgget', 0, 0o1600)",
    "POSIX queues": "call('mq_open', b'x', 0o102, 0o600, 0)",
    # What the kernel counts per user of the host, and so takes from others.
    "a larger pipe": "call('fcntl', os.pipe()[1], 1031, 1 << 17)",
    "a larger pipe, a dropped bit set": "call('fcntl', os.pipe()[1], (1 << 32) + 1031, 1 << 17)",
    # The host's memory layout.
    "get_mempolicy": "call('get_mempolicy', 0, 0, 0, 0, 0)",
    "mbind": "call('mbind', 0, 0, 0, 0, 0, 0)",
}  # fmt: skip

QUEUES = {"System V shared memory", "System V semaphores", "System V queues", "POSIX queues"}
UNKNOWN = {"clone3", "openat2", "fchmodat2", "get_mempolicy", "mbind", *QUEUES}
"""Refused as by a kernel that has no such call, so that programs go another way; some kernels have none."""

IN_VAIN = {"request_key", "setns", "name_to_handle_at", "ping", "TIOCLINUX", "TIOCSETD"}
IN_VAIN |= {name for name in CALLS if name.startswith("TCP_ULP") or name == "socketpair of another family"}
"""Made like this they reach the kernel, and get nothing: what shows them is the answer without the filter."""

SOMETIMES = ("AF_ALG", "AF_BLUETOOTH", "AF_TIPC", "AF_CAN", "AF_RDS", "AF_SMC", "SCTP", "DCCP", "AF_VSOCK")
"""What small kernels are built without."""

INNOCENT_IN_GVISOR = {
    "close_range that unshares",
    *(
        "ptrace",
        "io_uring_setup",
        "io_setup",
        "unshare a user namespace",
        "unshare",
        "get_mempolicy",
        "mbind",
    ),
    *("clone a user namespace", "clone a network namespace", "NETLINK_KOBJECT_UEVENT", "chmod set-uid"),
    *("chmod set-gid", "fchmod", "fchmodat", "open", "openat", "creat", "mknod", "mknodat"),
    *("mknod a character device", "a larger pipe", "a larger pipe, a dropped bit set", *QUEUES),
}
"""It has these, in its own kernel, where they lead no further."""

CASES = {
    "S1": ["unshare a user namespace", "unshare", "clone a user namespace", "clone3"],
    "S2": ["setns", "open_tree"],
    "S7": ["io_uring_setup"],
    "S8": ["keyctl", "add_key", "request_key"],
    "S9": ["name_to_handle_at"],
    "S10": ["personality without randomised addresses", "personality with executable data"],
    "S13": ["TIOCSTI", "TIOCSTI behind a bit that the kernel drops", "TIOCLINUX"],
    "S16": ["pidfd_getfd"],
    "S17": ["fanotify_init"],
    "N6": ["AF_VSOCK", "AF_VSOCK behind a bit that the kernel drops", "AF_ALG", "AF_BLUETOOTH", "AF_TIPC"],
    "H7": ["chmod set-uid", "chmod set-gid"],
}


def register(name: str, code: str) -> None:
    """Make an attack of an expression."""

    def run(bait):
        def call(name, *arguments):
            whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
            return libc.syscall(ctypes.c_long(bait.numbers[name]), *whole)

        fd, tty = os.open("file", os.O_CREAT | os.O_RDWR), pty.openpty()[1]
        seen = {"call": call, "fd": fd, "tty": tty, "iovec": ctypes.create_string_buffer(64)}
        answer = checked(eval(code, {"ctypes": ctypes, "libc": libc, "os": os, "struct": struct}, seen))
        if answer == 0 and name.startswith("clone"):
            os._exit(0)  # the child
        return "done"

    run.__name__, run.__module__, run.__doc__ = re.sub(r"\W+", "_", name), __name__, f"Make the call {name}."
    refused = "ENOSYS" if name in UNKNOWN else "EPERM"
    differs = {"gvisor": OWN_KERNEL} if name in INNOCENT_IN_GVISOR else {}
    ids = " ".join(case for case, names in CASES.items() if name in names)
    absent = name.startswith(SOMETIMES)
    attack("escape", ids, refused=refused, root=True, absent=absent, **differs)(run)


for each, expression in CALLS.items():
    if each not in IN_VAIN:
        register(each, expression)
