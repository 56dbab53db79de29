"""Promise: code inside sees, signals, traces and reads only its own processes."""

import contextlib
import ctypes
import os
import resource
import signal
import time

from tests.adversarial.attack import attack, call, is_victim, victim

UNSEEN = "ESRCH EPERM EACCES ENOSYS ENOENT"


@attack("escape", "F6", nothing=True)
def list_other_processes(bait):
    """See a process of the host in /proc."""
    with contextlib.suppress(ProcessLookupError):
        return f"saw process {victim(bait)}"
    return None


@attack("escape", "F6", nothing=True)
def find_hidden_processes(bait):
    """Find processes by asking for every number: a signal that is refused tells that there is one.

    Threads of process 1 have numbers, too, and may not be signalled; /proc knows them by these.
    """
    found = 0
    for pid in range(2, 1 << 15):
        try:
            os.kill(pid, 0)
        except PermissionError:
            found += not os.path.exists(f"/proc/{pid}/cmdline")
        except ProcessLookupError:
            continue
        else:
            found += not os.path.exists(f"/proc/{pid}/cmdline") or is_victim(bait, pid)
    return f"found {found}" if found else None


@attack("escape", "L1", refused=UNSEEN)
def signal_a_process_of_the_host(bait):
    """Signal a process of the host."""
    os.kill(victim(bait), signal.SIGCONT)
    return "signalled"


@attack("escape", "S16", refused=UNSEEN)
def hold_a_process_of_the_host(bait):
    """Signal a process of the host by a descriptor of it."""
    signal.pidfd_send_signal(os.pidfd_open(victim(bait)), signal.SIGCONT)
    return "signalled"


@attack("escape", refused=UNSEEN)
def trace_a_process_of_the_host(bait):
    """Attach to a process of the host."""
    pid = victim(bait)
    call(bait, "ptrace", 0x4206, pid, 0, 0)  # PTRACE_SEIZE: without stopping it
    return "attached"


@attack("escape", "F14", refused=UNSEEN)
def read_the_memory_of_the_host(bait):
    """Read the memory of a process of the host through /proc."""
    pid = victim(bait)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(int(maps.readline().split("-")[0], 16))
        return "read" if memory.read(1) else None


@attack("escape", refused=UNSEEN)
def read_its_memory_by_a_call(bait):
    """Read the memory of a process of the host with process_vm_readv."""
    pid = victim(bait)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        address = int(maps.readline().split("-")[0], 16)
    room = ctypes.create_string_buffer(8)
    ours, theirs = (ctypes.c_ulong * 2)(ctypes.addressof(room), 8), (ctypes.c_ulong * 2)(address, 8)
    call(bait, "process_vm_readv", pid, ours, 1, theirs, 1, 0)
    return "read"


@attack("escape", "S16", refused=UNSEEN)
def take_its_descriptor(bait):
    """Take a descriptor out of a process of the host."""
    os.close(call(bait, "pidfd_getfd", os.pidfd_open(victim(bait)), 0, 0))
    return "taken"


@attack("escape", refused=UNSEEN)
def open_its_files(bait):
    """Open the files of a process of the host again."""
    os.close(os.open(f"/proc/{victim(bait)}/fd/0", os.O_RDONLY))
    return "opened"


@attack("escape", refused=UNSEEN)
def limit_a_process_of_the_host(bait):
    """Set the limits of a process of the host."""
    resource.prlimit(victim(bait), resource.RLIMIT_CORE, (0, 0))
    return "set"


@attack("escape", refused=UNSEEN)
def slow_a_process_of_the_host(bait):
    """Take priority from a process of the host."""
    os.setpriority(os.PRIO_PROCESS, victim(bait), 19)
    return "set"


@attack("escape", refused=UNSEEN)
def pin_a_process_of_the_host(bait):
    """Move a process of the host to one processor."""
    os.sched_setaffinity(victim(bait), {min(os.sched_getaffinity(0))})
    return "set"


@attack("escape", refused=UNSEEN)
def have_it_killed_first(bait):
    """Have the host's process killed before this one when memory runs out."""
    with open(f"/proc/{victim(bait)}/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    return "written"


@attack("escape", refused=UNSEEN, nothing=True)
def compare_with_a_process_of_the_host(bait):
    """Find out what is shared with a process of the host."""
    return "told" if call(bait, "kcmp", os.getpid(), victim(bait), 0, 0, 0) >= 0 else None


@attack("escape", refused=UNSEEN)
def read_how_a_process_of_the_host_fares(bait):
    """Read what a process of the host reads and writes, and where it waits."""
    with open(f"/proc/{victim(bait)}/status", encoding="ascii") as file:
        return file.readline()


@attack("escape", refused=UNSEEN + " ECHILD EINVAL")
def watch_a_process_of_the_host_end(bait):
    """Wait for a process of the host by a descriptor: it tells when it ends."""
    os.close(os.pidfd_open(victim(bait)))
    return "held"


@attack("escape", "B5", nothing=True)
def see_the_boot_of_the_host(bait):
    """See process 1 of the host, by its start right after the machine's."""
    with open("/proc/1/stat", encoding="ascii") as file:
        started = int(file.read().rpartition(")")[2].split()[19])
    return "saw it" if started < 10 * os.sysconf("SC_CLK_TCK") and time.monotonic() > 60 else None
