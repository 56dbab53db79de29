"""Promise: code inside neither reads, writes, stops nor ends process 1, which carries the stream to the host.

Without a wall, what is attacked is a process of the same user that has a pipe to another, as process 1 has.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

from tests.adversarial.attack import attack, call

SHUT = "EACCES EPERM ESRCH ENOSYS"
TOLD = "gVisor of before 2023 lets code inside open the descriptors of process 1, stop and kill it"
KEPT = []


def stand_in(bait):
    """Start what stands for process 1: its input and output are pipes."""
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    running.stdout.readline()
    KEPT.append(running)
    return running.pid


def comes_to(pid, state):
    """Say whether a process is in a state soon: signals that count are carried out at once."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            if file.read().rpartition(")")[2].split()[0] == state:
                return True
        time.sleep(0.01)
    return False


def target(bait):
    return bait.planted if bait.plain else 1


@attack("tunnel", plant=stand_in, refused=SHUT + " ENXIO ENOENT", gvisor=TOLD)
def write_into_the_stream(bait):
    """Open the pipe to the host through /proc, to send frames of its own."""
    for number in os.listdir(f"/proc/{target(bait)}/fd"):
        if os.readlink(f"/proc/{target(bait)}/fd/{number}").startswith("pipe:"):
            os.close(os.open(f"/proc/{target(bait)}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK))
            return f"opened {number}"
    raise PermissionError(1, "there is no pipe")


@attack("tunnel", plant=stand_in, refused=SHUT + " ENXIO ENOENT", gvisor=TOLD)
def read_from_the_stream(bait):
    """Read what the host sends: other clients' requests, and keys."""
    for number in os.listdir(f"/proc/{target(bait)}/fd"):
        with contextlib.suppress(FileNotFoundError, OSError):
            os.close(os.open(f"/proc/{target(bait)}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK))
            return f"opened {number}"
    raise PermissionError(1, "none opens")


@attack("tunnel", "S16", plant=stand_in, refused=SHUT)
def take_its_descriptors(bait):
    """Take the stream's descriptor out of process 1."""
    os.close(call(bait, "pidfd_getfd", os.pidfd_open(target(bait)), 1, 0))
    return "taken"


@attack("tunnel", plant=stand_in, refused=SHUT, gvisor="our list of system calls is not applied inside")
def trace_it(bait):
    """Attach to process 1, which would freeze the sandbox for ever."""
    call(bait, "ptrace", 0x4206, target(bait), 0, 0)
    return "attached"


@attack("tunnel", "F14", plant=stand_in, refused=SHUT + " EIO", gvisor=TOLD)
def read_its_memory(bait):
    """Read the memory of process 1: the key of the kernel's messages, and secrets on their way."""
    with open(f"/proc/{target(bait)}/maps", encoding="ascii") as maps:
        address = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{target(bait)}/mem", "rb", 0) as memory:
        memory.seek(address)
        return "read" if memory.read(1) else None


@attack("tunnel", "F14", plant=stand_in, refused=SHUT + " EIO", gvisor=TOLD)
def open_its_memory_for_writing(bait):
    """Open the memory of process 1 to put code of its own there."""
    os.close(os.open(f"/proc/{target(bait)}/mem", os.O_WRONLY))
    return "opened"


@attack("tunnel", plant=stand_in, refused=SHUT)
def write_to_its_memory_by_a_call(bait):
    """Write to the memory of process 1 with process_vm_writev: nothing, at an address that it has."""
    room = ctypes.create_string_buffer(8)
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(room), 0)
    call(bait, "process_vm_writev", target(bait), vector, 1, vector, 1, 0)
    return "written"


@attack("tunnel", "F5", plant=stand_in, refused=SHUT, nothing=True, gvisor=TOLD)
def read_its_environment(bait):
    """Read the environment of process 1."""
    with open(f"/proc/{target(bait)}/environ", "rb") as file:
        return "read" if b"HOME=" in file.read() else None


@attack("tunnel", "F6", plant=stand_in, refused=SHUT, gvisor=TOLD)
def look_at_its_root(bait):
    """Look through the root directory of process 1."""
    return f"saw {len(os.listdir(f'/proc/{target(bait)}/root'))} names"


@attack("tunnel", "L1", plant=stand_in, refused=SHUT, nothing=True, gvisor=TOLD)
def stop_it(bait):
    """Stop process 1: the host would wait for what never comes."""
    os.kill(target(bait), signal.SIGSTOP)
    if comes_to(target(bait), "T"):
        os.kill(target(bait), signal.SIGCONT)
        return "stopped"
    return None


@attack("tunnel", "L1", plant=stand_in, refused=SHUT, nothing=True, gvisor=TOLD)
def end_it(bait):
    """End process 1 without its doing: a signal that it does not handle."""
    for number in (signal.SIGQUIT, signal.SIGUSR1, signal.SIGSEGV, signal.SIGKILL):
        os.kill(target(bait), number)
    return "ended" if comes_to(target(bait), "Z") else None
