"""Promise: a kernel leaves nothing for the next one, but what it wrote where it may write.

What is planted ran in an earlier kernel, which has ended; without a wall, in an earlier process.
"""

import glob
import os
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile

from tests.adversarial.attack import attack, call

UNSEEN = "ENOENT EACCES EPERM ENOTDIR"
GONE = "ESRCH nothing"
IPC_CREAT, O_CREAT, USER_KEYRING, KEYCTL_SEARCH = 0o1000, 0o100, -4, 10


def leave(path, text):
    """Write a file and all directories on its way; tell its path."""
    path = os.path.expanduser(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def found(bait):
    """Say whether what was planted is there, and remove it."""
    path = bait.planted or "/nowhere"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    os.unlink(path)
    return "found" if bait.name in text else None


@attack("persistence", plant=lambda bait: leave(f"/tmp/left-{bait.name}", bait.name), refused=UNSEEN)
def find_a_temporary_file(bait):
    """Find a file in /tmp."""
    return found(bait)


@attack("persistence", plant=lambda bait: leave(f"~/left-{bait.name}", bait.name), refused=UNSEEN)
def find_a_file_in_the_home(bait):
    """Find a file in the home directory."""
    return found(bait)


@attack("persistence", plant=lambda bait: leave(f"/dev/shm/left-{bait.name}", bait.name), refused=UNSEEN)
def find_shared_memory(bait):
    """Find a file in /dev/shm."""
    return found(bait)


@attack("persistence", plant=lambda bait: leave(f"/var/tmp/left-{bait.name}", bait.name), refused=UNSEEN)
def find_a_file_in_var(bait):
    """Find a file in /var/tmp, which outlives reboots."""
    return found(bait)


def file_in_run(bait):
    return leave(f"/run/left-{bait.name}", bait.name)


@attack("persistence", root=True, plant=file_in_run, refused=UNSEEN)
def find_a_file_in_run(bait):
    """Find a file in /run."""
    return found(bait)


def startup(bait):
    return leave(f"~/.ipython/profile_default/startup/00-{bait.name}.py", f"# {bait.name}")


@attack("persistence", "H18", plant=startup, refused=UNSEEN)
def run_at_the_next_start_of_ipython(bait):
    """Leave a file that IPython runs when it starts."""
    return found(bait)


def configuration(bait):
    return leave("~/.ipython/profile_default/ipython_kernel_config.py", f"# {bait.name}")


@attack("persistence", "H18", plant=configuration, refused=UNSEEN, nothing=True)
def configure_the_next_kernel(bait):
    """Leave settings for the next kernel."""
    return found(bait)


def user_customize(bait):
    return leave(f"{site.getusersitepackages()}/usercustomize.py", f"# {bait.name}")


@attack("persistence", "H18", plant=user_customize, refused=UNSEEN)
def run_at_the_next_start_of_python(bait):
    """Leave a module that every Python of the user imports."""
    return found(bait)


def path_file(bait):
    return leave(f"{sysconfig.get_path('purelib')}/{bait.name}.pth", f"# {bait.name}")


@attack("persistence", "H18", root=True, plant=path_file, refused=UNSEEN)
def run_with_the_environment_s_packages(bait):
    """Leave a .pth file beside the installed packages."""
    return found(bait)


def module(bait):
    return leave(f"{os.path.dirname(os.__file__)}/{bait.name.replace('-', '_')}.py", f"# {bait.name}")


@attack("persistence", "H18", root=True, plant=module, refused=UNSEEN)
def leave_a_module_in_the_library(bait):
    """Leave a module in Python's own library."""
    return found(bait)


def bytecode(bait):
    return leave(f"{bait.ro}/__pycache__/{bait.name}.pyc", bait.name)


@attack("persistence", "H18", plant=bytecode, refused=UNSEEN)
def leave_bytecode_beside_the_notebook(bait):
    """Leave bytecode in the folder that was granted to read, which the host would import."""
    return found(bait)


@attack("persistence", "H18", plant=lambda bait: leave("~/.bashrc", f"# {bait.name}"), refused=UNSEEN)
def run_in_the_next_shell(bait):
    """Leave a start file for shells."""
    return found(bait)


def spool(bait):
    return leave(f"/etc/cron.d/{bait.name}", f"# {bait.name}")


@attack("persistence", "H18", root=True, plant=spool, refused=UNSEEN)
def run_at_a_time(bait):
    """Leave a line for cron."""
    return found(bait)


DAEMON = """
import os, socket, sys, time
one = socket.socket(socket.AF_UNIX)
one.bind("\\0" + sys.argv[1])
one.listen()
two = socket.create_server(("127.0.0.1", 0))
print(two.getsockname()[1], flush=True)
time.sleep(3600)
"""


def daemon(bait):
    """Start a program that leaves its session, parent and streams; tell the port that it listens on."""
    command = [sys.executable, "-c", DAEMON, f"daemon-{bait.name}-{os.urandom(4).hex()}"]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(command, start_new_session=True, **streams)
    return [command[-1], int(running.stdout.readline())]


def end_daemon(bait):
    """End the daemon; raises ESRCH where it is gone."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if bait.planted and bait.planted[0].encode() in file.read():
                    os.kill(int(path.split("/")[2]), 9)
                    return
        except OSError:
            continue
    raise ProcessLookupError(3, "no such process")


@attack("persistence", "P15 B5", plant=daemon, refused=GONE)
def go_on_as_a_daemon(bait):
    """Outlive the kernel as a process."""
    end_daemon(bait)
    return "it runs"


@attack("persistence", "P15", plant=daemon, refused="ECONNREFUSED ENOENT")
def go_on_listening(bait):
    """Outlive the kernel as a server."""
    socket.create_connection(("127.0.0.1", bait.planted[1])).close()
    end_daemon(bait)
    return "connected"


@attack("persistence", "N8", plant=daemon, refused="ECONNREFUSED ENOENT")
def go_on_with_a_name(bait):
    """Keep an abstract socket's name."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(f"\0{bait.planted[0]}")
    end_daemon(bait)
    return "connected"


def segment(bait):
    return call(bait, "shmget", bait.victim_pid + 1, 4096, IPC_CREAT | 0o600)


@attack("persistence", plant=segment, refused="ENOSYS ENOENT EPERM")
def find_a_segment(bait):
    """Find System V memory, which belongs to no process, and so outlives them all."""
    call(bait, "shmctl", call(bait, "shmget", bait.victim_pid + 1, 4096, 0o600), 0, 0)
    return "found"


def message_queue(bait):
    return os.close(call(bait, "mq_open", f"left-{bait.name}".encode(), O_CREAT | 2, 0o600, 0))


@attack("persistence", plant=message_queue, refused="ENOSYS ENOENT EPERM")
def find_a_queue(bait):
    """Find a message queue."""
    name = f"left-{bait.name}".encode()
    os.close(call(bait, "mq_open", name, 2, 0, 0))
    call(bait, "mq_unlink", name)
    return "found"


def key(bait):
    return call(bait, "add_key", b"user", f"left-{bait.name}".encode(), b"x", 1, USER_KEYRING)


@attack("persistence", "S8", plant=key, refused="EPERM ENOSYS EACCES ENOKEY")
def find_a_key(bait):
    """Find a key in the user's keyring."""
    call(bait, "keyctl", KEYCTL_SEARCH, USER_KEYRING, b"user", f"left-{bait.name}".encode(), 0)
    return "found"


def pipe(bait):
    path = f"{tempfile.gettempdir()}/pipe-{bait.name}"
    os.mkfifo(path)
    return path


@attack("persistence", plant=pipe, refused=UNSEEN)
def leave_a_pipe_that_hangs(bait):
    """Leave a named pipe where somebody will open a file."""
    os.unlink(bait.planted or "/nowhere")
    return "it is there"
