"""Promise: memory, processes, files and room end at the policy's limit, whatever inside uses them.

Each takes more than the small sandbox has: 160 MiB of memory, 64 processes, 128 open files, 16 MiB in a
temporary directory. What it needs ends with it.
"""

import contextlib
import mmap
import os
import resource
import select
import socket
import subprocess
import tempfile
import threading
import time

from tests.adversarial.attack import attack

MiB = 1 << 20
TAKEN = 240  # MiB
WANTED = 200  # processes
OPEN = 400  # files
ROOM = 48  # MiB on disk
KILLED = "MemoryError killed_by_SIGKILL the_limit_on_memory ENOMEM"
FULL = "EAGAIN RuntimeError"
UNSEEN = "Memory that belongs to no process is not seen by it: data in sockets and pipes"
BOUND_BY_MEMORY = "Its temporary directories are bounded by memory alone"


def fill(size):
    """Return memory that is really there."""
    data = bytearray(size * MiB)
    data[::4096] = b"x" * len(data[::4096])
    return data


@attack("exhaustion", refused=KILLED, arena="small")
def take_memory_at_once(bait):
    """Fill one array."""
    return f"took {len(fill(TAKEN)) // MiB} MiB"


@attack("exhaustion", "M8", refused=KILLED, arena="small")
def take_memory_piece_by_piece(bait):
    """Fill many arrays: nothing goes to a swap that is not counted."""
    return f"took {4 * len([fill(4) for _ in range(TAKEN // 4)])} MiB"


@attack("exhaustion", refused=KILLED, arena="small")
def take_memory_in_threads(bait):
    """Fill memory in eight threads at a time."""
    kept = []
    threads = [threading.Thread(target=lambda: kept.append(fill(TAKEN // 8))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"took {len(kept)} parts" if len(kept) == 8 else _memory_error()


def _memory_error():
    raise MemoryError


@attack("exhaustion", "M7", refused=KILLED + " nothing", arena="small")
def take_memory_in_children(bait):
    """Fill a part in each of three children: together it is too much."""
    done, ready = os.pipe(), os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            os.close(done[1])
            kept = fill(TAKEN // 3)
            os.write(ready[1], b"x")
            os.read(done[0], len(kept))
            os._exit(0)
    got = 0
    while got < 3:
        if select.select([ready[0]], [], [], 0.05)[0]:
            got += len(os.read(ready[0], 3))
        elif os.waitpid(-1, os.WNOHANG)[0]:
            return None  # one of them was killed
    for _ in range(100):  # a watchdog comes late, on a busy machine: who takes it all must also keep it
        if os.waitpid(-1, os.WNOHANG)[0]:
            return None
        time.sleep(0.05)
    return "took it all"


@attack("exhaustion", refused=KILLED, arena="small")
def take_memory_that_is_shared(bait):
    """Fill a shared mapping."""
    kept = mmap.mmap(-1, TAKEN * MiB)
    for _ in range(TAKEN):
        kept.write(bytes(MiB))
    return "took it"


@attack("exhaustion", "M3", refused=KILLED, arena="small")
def take_memory_in_a_file(bait):
    """Fill a file in memory, which belongs to no process."""
    file = os.memfd_create("x")
    for _ in range(TAKEN):
        os.write(file, bytes(MiB))
    return "took it"


@attack("exhaustion", refused=KILLED, arena="small")
def take_memory_for_tables(bait):
    """Touch a page in each of many places: the kernel's tables of them take as much again."""
    kept = mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
    for place in range(0, len(kept), 2 * MiB):
        kept[place] = 1
    return "took it"


@attack("exhaustion", refused=KILLED + " EMFILE EPERM", arena="small", watchdog=UNSEEN)
def take_memory_in_sockets(bait):
    """Fill the buffers of sockets that nobody reads."""
    kept, took = [], 0
    while took < 160 * MiB:
        pair = socket.socketpair()
        for one in pair:
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MiB)
            with contextlib.suppress(BlockingIOError):
                while True:
                    took += one.send(bytes(1 << 16))
        kept.append(pair)
    return f"took {took // MiB} MiB"


@attack("exhaustion", "P1", refused=FULL, arena="small")
def fork(bait):
    """Fork, and fork."""
    hold = os.pipe()
    for _ in range(WANTED):
        if os.fork() == 0:
            os.close(hold[1])
            os.read(hold[0], 1)
            os._exit(0)
    return "made them"


@attack("exhaustion", "P3", refused=FULL, arena="small")
def start_threads(bait):
    """Start threads."""
    over = threading.Event()
    threading.stack_size(1 << 16)
    for _ in range(WANTED):
        threading.Thread(target=over.wait, daemon=True).start()
    return "made them"


@attack("exhaustion", "P15", refused=FULL, arena="small")
def start_daemons(bait):
    """Start processes that leave their session and parent."""
    hold, told = os.pipe(), os.pipe()
    for _ in range(WANTED):
        if os.fork() == 0:
            os.close(hold[1])
            os.setsid()
            try:
                if os.fork():
                    os._exit(0)
            except BlockingIOError:
                os.write(told[1], b"-")
                os._exit(0)
            os.write(told[1], b"+")
            os.read(hold[0], 1)
            os._exit(0)
        os.wait()
        if os.read(told[0], 1) == b"-":
            raise BlockingIOError(11, "no more")
    return "made them"


@attack("exhaustion", refused=FULL, arena="small")
def leave_zombies(bait):
    """Start processes that end, and never ask how."""
    for _ in range(WANTED):
        if os.fork() == 0:
            os._exit(0)
    return "made them"


@attack("exhaustion", "P2", refused=FULL + " nothing", arena="small")
def start_a_shell_s_bomb(bait):
    """Have a shell start processes in its background."""
    bomb = f"i=0; while [ $i -lt {WANTED} ]; do (read x <&3) >/dev/null & i=$((i+1)); done; echo made"
    reader, writer = os.pipe()
    command = ["sh", "-c", f"exec 3<&{reader}; {bomb}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "pass_fds": [reader]}
    done = subprocess.run(command, **pipes, check=False)
    os.close(writer)
    return "made them" if b"made" in done.stdout else None


@attack("exhaustion", "N12", refused="EMFILE", arena="small")
def open_files(bait):
    """Open files, and more files."""
    return f"opened {len([os.open('/dev/null', os.O_RDONLY) for _ in range(OPEN)])}"


@attack("exhaustion", "N12", refused="EMFILE", arena="small")
def open_sockets(bait):
    """Open sockets."""
    return f"opened {len([socket.socket() for _ in range(OPEN)])}"


@attack("exhaustion", refused="EMFILE", arena="small")
def open_pipes(bait):
    """Open pipes, which hold 64 KiB each."""
    return f"opened {len([os.pipe() for _ in range(OPEN // 2)])}"


@attack("exhaustion", refused="EPERM ValueError EINVAL", arena="small")
def allow_itself_more_files(bait):
    """Raise the limit on open files first."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except ValueError as error:
        raise PermissionError(1, "not allowed") from error
    return f"opened {len([os.open('/dev/null', os.O_RDONLY) for _ in range(OPEN - 20)])}"


def flood(place):
    """Fill a directory with one file."""
    with tempfile.NamedTemporaryFile(dir=place, buffering=0) as file:
        for _ in range(ROOM):
            left = MiB
            while left:
                left -= file.write(bytes(left))
    return f"wrote {ROOM} MiB to {place}"


@attack("exhaustion", refused="ENOSPC", arena="small", gvisor=BOUND_BY_MEMORY)
def fill_the_temporary_directory(bait):
    """Fill /tmp."""
    return flood("/tmp")


@attack("exhaustion", refused="ENOSPC", arena="small", gvisor=BOUND_BY_MEMORY)
def fill_the_home(bait):
    """Fill the home directory."""
    return flood(os.path.expanduser("~"))


@attack("exhaustion", "M5", refused="ENOSPC", arena="small", gvisor=BOUND_BY_MEMORY)
def fill_shared_memory(bait):
    """Fill /dev/shm."""
    return flood("/dev/shm")


@attack("exhaustion", refused="ENOSPC EROFS EACCES", arena="small", root=True, gvisor=BOUND_BY_MEMORY)
def fill_any_other_directory(bait):
    """Fill what else takes a file: /run, /var/tmp, /."""
    for place in ("/run", "/var/tmp", "/", "/mnt", "/srv"):
        with contextlib.suppress(OSError):
            return flood(place)
    raise OSError(28, "nowhere")


@attack("exhaustion", "D3", refused="ENOSPC EFBIG ENOMEM", arena="small", gvisor=BOUND_BY_MEMORY)
def reserve_room(bait):
    """Have room reserved that is never written to."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        os.posix_fallocate(file.fileno(), 0, ROOM * MiB)
    return "reserved"
