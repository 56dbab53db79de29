"""Promise: no sandbox sees, signals, reads or writes anything of another that runs at the same time.

What is planted runs in the other sandbox, and stays; without a wall, in another process of the same user.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile

from tests.adversarial.attack import attack, call

UNSEEN = "ENOENT EACCES EPERM ENOTDIR"
GONE = "ESRCH ENOENT EPERM EACCES"
KEPT = []
"""What must stay open in the other sandbox."""
IPC_CREAT, O_CREAT, USER_KEYRING, KEYCTL_SEARCH = 0o1000, 0o100, -4, 10


def file_in(place):
    """Return what leaves a file in a directory, and tells its path."""

    def plant(bait):
        number, path = tempfile.mkstemp(prefix=bait.name, dir=os.path.expanduser(place))
        os.write(number, bait.secret.encode())
        return path

    return plant


def read(bait):
    """Read what was planted."""
    with open(bait.planted or "/nowhere", encoding="ascii") as file:
        found = file.read()
    os.unlink(bait.planted)
    return "read" if found == bait.secret else None


def program(bait):
    """Start a program with a name and a variable, and an open file; tell its name."""
    name = f"other-{bait.name}"
    with tempfile.TemporaryFile() as file:
        command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(3600)", name]
        environment = {**os.environ, "OTHERS_TOKEN": bait.secret}
        running = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, env=environment)
    running.stdout.readline()
    KEPT.append(running)
    return name


def planted(bait):
    """Return the other's process; raises ESRCH where it is not seen."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if bait.planted and bait.planted.encode() in file.read():
                    return pid
        except OSError:
            continue
    raise ProcessLookupError(3, "no such process")


@attack("interference", plant=file_in("/tmp"), refused=UNSEEN)
def read_the_other_s_temporary_file(bait):
    """Read a file in the other's /tmp."""
    return read(bait)


@attack("interference", plant=file_in("~"), refused=UNSEEN)
def read_the_other_s_home(bait):
    """Read a file in the other's home, which has the same name."""
    return read(bait)


@attack("interference", plant=file_in("/dev/shm"), refused=UNSEEN)
def read_the_other_s_shared_memory(bait):
    """Read the other's shared memory by its name."""
    return read(bait)


def stream(bait):
    KEPT.append(socket.create_server(("127.0.0.1", 0)))
    return KEPT[-1].getsockname()[1]


@attack("interference", "N5", plant=stream, refused="ECONNREFUSED")
def connect_to_the_other_s_server(bait):
    """Connect to a server that the other runs on its loopback: its kernel, a database, Dask."""
    socket.create_connection(("127.0.0.1", bait.planted)).close()
    return "connected"


def datagrams(bait):
    KEPT.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    KEPT[-1].bind(("127.0.0.1", 0))
    return KEPT[-1].getsockname()[1]


@attack("interference", "N5", plant=datagrams, refused="ECONNREFUSED")
def send_to_the_other(bait):
    """Send the other a datagram: a port that nobody has is refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(5)
        one.connect(("127.0.0.1", bait.planted))
        one.send(b"x")
        try:
            one.recv(1)
        except TimeoutError:
            return "was not refused"
    return "answered"


def port_taken(bait):
    KEPT.append(socket.create_server(("127.0.0.1", 0)))
    return KEPT[-1].getsockname()[1]


@attack("interference", "N5", plant=port_taken, nothing=True)
def find_its_port_taken(bait):
    """Be kept from a port by the other, which so learns of it."""
    try:
        socket.create_server(("127.0.0.1", bait.planted or 28_888)).close()
    except OSError:
        return "it is taken"
    return None


def abstract(bait):
    KEPT.append(socket.socket(socket.AF_UNIX))
    KEPT[-1].bind(f"\0other-{bait.name}")
    KEPT[-1].listen()
    return f"other-{bait.name}"


@attack("interference", "N8", plant=abstract, refused="ECONNREFUSED")
def connect_to_the_other_s_abstract_socket(bait):
    """Connect to an abstract socket of the other's."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(f"\0{bait.planted}")
    return "connected"


def named(bait):
    KEPT.append(socket.socket(socket.AF_UNIX))
    path = f"{tempfile.mkdtemp()}/s"
    KEPT[-1].bind(path)
    KEPT[-1].listen()
    return path


@attack("interference", plant=named, refused=UNSEEN + " ECONNREFUSED")
def connect_to_the_other_s_named_socket(bait):
    """Connect to a socket in the other's /tmp."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(bait.planted)
    return "connected"


def terminal(bait):
    KEPT.append(os.openpty())
    return os.ttyname(KEPT[-1][1])


@attack("interference", plant=terminal, refused=UNSEEN + " EIO ENXIO")
def type_into_the_other_s_terminal(bait):
    """Open the other's pseudo-terminal by its number."""
    os.close(os.open(bait.planted, os.O_RDWR | os.O_NOCTTY))
    return "opened"


@attack("interference", plant=program, refused=GONE)
def see_the_other_s_program(bait):
    """See a program of the other's, with its arguments."""
    return f"saw {planted(bait)}"


@attack("interference", "L1", plant=program, refused=GONE)
def kill_the_other_s_program(bait):
    """Kill a program of the other's."""
    os.kill(planted(bait), signal.SIGKILL)
    return "killed"


@attack("interference", plant=program, refused=GONE)
def read_the_other_s_variables(bait):
    """Read a secret out of the other's environment."""
    with open(f"/proc/{planted(bait)}/environ", "rb") as file:
        return "read" if bait.secret.encode() in file.read() else None


@attack("interference", plant=program, refused=GONE)
def read_the_other_s_memory(bait):
    """Read the other's memory."""
    pid = planted(bait)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(int(maps.readline().split("-")[0], 16))
        return "read" if memory.read(1) else None


@attack("interference", plant=program, refused=GONE)
def open_the_other_s_files(bait):
    """Open a file of the other's that has no name any more."""
    os.close(os.open(f"/proc/{planted(bait)}/fd/0", os.O_RDWR))
    return "opened"


def segment(bait):
    return call(bait, "shmget", bait.victim_pid, 4096, IPC_CREAT | 0o600)


@attack("interference", plant=segment, refused="ENOSYS ENOENT EPERM")
def find_the_other_s_segment(bait):
    """Find System V memory of the other's by its key."""
    number = call(bait, "shmget", bait.victim_pid, 4096, 0o600)
    call(bait, "shmctl", number, 0, 0)  # removed: it belongs to no process
    return "found"


def message_queue(bait):
    KEPT.append(call(bait, "mq_open", f"other-{bait.name}".encode(), O_CREAT | 2, 0o600, 0))
    return f"other-{bait.name}"


@attack("interference", plant=message_queue, refused="ENOSYS ENOENT EPERM")
def find_the_other_s_queue(bait):
    """Find a message queue of the other's by its name."""
    name = f"other-{bait.name}".encode()
    os.close(call(bait, "mq_open", name, 2, 0, 0))
    call(bait, "mq_unlink", name)
    return "found"


def key(bait):
    return call(bait, "add_key", b"user", f"other-{bait.name}".encode(), b"x", 1, USER_KEYRING)


@attack("interference", "S8", plant=key, refused="EPERM ENOSYS EACCES ENOKEY")
def find_the_other_s_key(bait):
    """Find a key of the other's in the keyring of their common user, which no namespace divides."""
    call(bait, "keyctl", KEYCTL_SEARCH, USER_KEYRING, b"user", f"other-{bait.name}".encode(), 0)
    return "found"


def lock(bait):
    path = f"{tempfile.gettempdir()}/lock-{bait.name}"
    KEPT.append(os.open(path, os.O_CREAT | os.O_RDWR))
    fcntl.flock(KEPT[-1], fcntl.LOCK_EX)
    return path


@attack("interference", plant=lock, nothing=True, refused=UNSEEN)
def wait_for_the_other_s_lock(bait):
    """Be kept waiting by a lock of the same name."""
    file = os.open(f"{tempfile.gettempdir()}/lock-{bait.name}", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "is locked"
    return None


def memory_file(bait):
    KEPT.append(os.memfd_create(f"other-{bait.name}"))
    return os.getpid()


@attack("interference", "F7", plant=memory_file, nothing=True, refused=GONE)
def open_the_other_s_memory_file(bait):
    """Open a file in memory of the other's, by the number of its process."""
    for number in os.listdir(f"/proc/{bait.planted}/fd"):
        if bait.name in os.readlink(f"/proc/{bait.planted}/fd/{number}"):
            return "found"
    return None
