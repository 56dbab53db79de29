"""Promise: code inside has no privilege, gains none, and makes no namespace, mount or root of its own."""

import ctypes
import os
import struct
import subprocess

from tests.adversarial.attack import OWN_KERNEL, attack, call, checked, libc, victim

NO = "EPERM EACCES ENOSYS EINVAL"
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


@attack("escape", "S2", refused=NO, root=True)
def mount_a_file_system(bait):
    """Mount a tmpfs of any size."""
    checked(libc.mount(b"none", os.getcwdb(), b"tmpfs", 0, None))
    checked(libc.umount2(os.getcwdb(), 2))
    return "mounted"


@attack("escape", "S2", refused=NO, root=True)
def mount_proc_anew(bait):
    """Mount a /proc without covers."""
    checked(libc.mount(b"none", os.getcwdb(), b"proc", 0, None))
    checked(libc.umount2(os.getcwdb(), 2))
    return "mounted"


@attack("escape", "S2", refused=NO, root=True)
def bind_what_is_read_only(bait):
    """Bind the read-only folder to another place, to have it writable there."""
    checked(libc.mount(bait.ro.encode(), os.getcwdb(), None, 4096, None))
    checked(libc.umount2(os.getcwdb(), 2))
    return "bound"


@attack("escape", "S2", refused=NO, root=True)
def mount_by_the_new_calls(bait):
    """Open a file system with fsopen, which older lists of system calls do not know."""
    os.close(call(bait, "fsopen", b"tmpfs", 0))
    return "opened"


@attack("escape", "S2", refused=NO, root=True)
def change_the_root(bait):
    """Change the root directory, the first step out of a chroot."""
    checked(libc.chroot(os.getcwdb()))
    return "changed"


@attack("escape", "S9", refused=NO + " EOPNOTSUPP", root=True)
def open_a_file_by_its_handle(bait):
    """Open a file by the number of its inode, past all paths (as "shocker" did)."""
    handle, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136), ctypes.c_int()
    call(bait, "name_to_handle_at", -100, bait.ro.encode(), handle, ctypes.byref(mount), 0)
    os.close(call(bait, "open_by_handle_at", os.open(bait.ro, os.O_RDONLY), handle, os.O_RDONLY))
    return "opened"


@attack("escape", "S1", refused=NO, root=True, gvisor=OWN_KERNEL)
def make_a_mount_namespace(bait):
    """Make a mount namespace."""
    call(bait, "unshare", CLONE_NEWNS)
    return "made"


@attack("escape", "S1", refused=NO, root=True)
def make_a_network_namespace(bait):
    """Make a network namespace, in which one may configure packets filters."""
    call(bait, "unshare", CLONE_NEWNET)
    return "made"


@attack("escape", "S2", refused=NO + " ESRCH", root=True)
def join_the_namespaces_of_the_host(bait):
    """Join the mount namespace of a process of the host."""
    checked(libc.setns(os.open(f"/proc/{victim(bait)}/ns/mnt", os.O_RDONLY), 0))
    return "joined"


@attack("escape", refused=NO, root=True)
def become_root(bait):
    """Become root by asking for it."""
    os.setresuid(0, 0, 0)
    return "became root"


@attack("escape", refused=NO, root=True)
def join_another_group(bait):
    """Join a group that owns files of the system."""
    os.setgroups([0, 42])
    return "joined"


@attack("escape", nothing=True, root=True)
def have_a_capability(bait):
    """Have any capability left, in any set, that a program could make use of."""
    with open("/proc/self/status", encoding="utf-8") as file:
        sets = dict(line.split(":\t") for line in file.read().splitlines() if line.startswith("Cap"))
    return f"has {sets}" if any(int(sets[name], 16) for name in ("CapPrm", "CapEff")) else None


@attack("escape", nothing=True)
def run_without_no_new_privs(bait):
    """Run programs that give privileges: no_new_privs is off."""
    return None if libc.prctl(39, 0, 0, 0, 0) else "off"


@attack("escape", refused=NO, root=True, absent=True)
def load_a_module(bait):
    """Load a module into the host's kernel: an empty file gets as far as its format."""
    file = os.open("module", os.O_CREAT | os.O_RDWR)
    try:
        call(bait, "finit_module", file, b"", 0)
    except OSError as error:
        if error.errno == 8:  # ENOEXEC: it was allowed, and no module
            return "allowed"
        raise
    return "loaded"


@attack("escape", refused=NO, root=True)
def load_a_program_into_the_kernel(bait):
    """Make a table for programs of bpf."""
    os.close(call(bait, "bpf", 0, struct.pack("IIIII", 2, 4, 8, 1, 0) + bytes(52), 72))
    return "made"


@attack("escape", refused=NO + " ENOENT", root=True)
def watch_the_processor(bait):
    """Count what every process on the machine does, with perf_event_open."""
    event = struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0) + bytes(72)
    os.close(call(bait, "perf_event_open", event, -1, 0, -1, 0))
    return "watched"


@attack("escape", refused=NO, root=True)
def name_the_machine(bait):
    """Set the host's name (to what it is)."""
    name = os.uname().nodename.encode()
    checked(libc.sethostname(name, len(name)))
    return "set"


@attack("escape", refused=NO, root=True, gvisor=OWN_KERNEL)
def read_the_log_of_the_kernel(bait):
    """Read the kernel's log by its system call."""
    checked(libc.klogctl(3, ctypes.create_string_buffer(100), 100))
    return "read"


@attack("escape", refused=NO, root=True)
def set_the_clock(bait):
    """Set the machine's clock (to what it is)."""
    time = ctypes.create_string_buffer(16)
    checked(libc.clock_gettime(0, time))
    checked(libc.clock_settime(0, time))
    return "set"


@attack("escape", refused=NO, root=True, absent=True)
def take_ports_of_the_machine(bait):
    """Have the input and output ports of the machine."""
    checked(libc.ioperm(0x80, 1, 1))
    return "have them"


@attack("escape", refused="EPERM EACCES EINVAL", root=True, gvisor=OWN_KERNEL)
def go_before_everybody(bait):
    """Have a higher priority than the host's programs."""
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return "have it"


@attack("escape", refused="EPERM EINVAL ENOSYS", root=True)
def run_in_real_time(bait):
    """Be scheduled in real time, before every ordinary program of the host."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return "have it"


@attack("escape", root=True, nothing=True, refused="EPERM EACCES ENOENT")
def be_root_by_su(bait):
    """Run `su`, which needs no password of root."""
    done = subprocess.run(["su", "-c", "id -u"], capture_output=True, text=True, check=False, input="")
    return "became root" if done.stdout.split() == ["0"] else None
