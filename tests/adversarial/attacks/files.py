"""Promise: code inside sees no file of the host but what was granted, and changes none granted to read."""

import contextlib
import glob
import os
import socket
import stat
import subprocess

from tests.adversarial.attack import OWN_KERNEL, attack, opened

UNSEEN = "ENOENT EACCES ENOTDIR EPERM"
SHUT = "EROFS EACCES EPERM"
SET_ID = "gVisor lets code set the set-user-ID bit"


def secret_at(bait, path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return f"read {path}" if bait.secret in file.read() else None


@attack("escape", "F1", refused=UNSEEN)
def read_a_file_of_the_home(bait):
    """Read a file in the home of who started the sandbox."""
    return secret_at(bait, bait.secrets["home"])


@attack("escape", "F1", refused=UNSEEN)
def read_a_file_of_another_folder(bait):
    """Read a file in a folder beside the one that was granted."""
    return secret_at(bait, bait.secrets["beside"])


@attack("escape", "F1", refused=UNSEEN)
def read_a_file_of_var(bait):
    """Read a file in /var/tmp."""
    return secret_at(bait, bait.secrets["var"])


@attack("escape", "F1", refused=UNSEEN)
def read_shared_memory(bait):
    """Read a file of the host's /dev/shm."""
    return secret_at(bait, bait.secrets["shm"])


@attack("escape", "F1", refused=UNSEEN, root=True)
def read_a_file_of_etc(bait):
    """Read a file in /etc that any user of the host may read."""
    return secret_at(bait, bait.secrets["etc"])


@attack("escape", "F8", refused=UNSEEN, root=True)
def read_a_file_of_run(bait):
    """Read a file in /run, where sockets and tokens are."""
    return secret_at(bait, bait.secrets["run"])


@attack("escape", "F1", nothing=True, refused=UNSEEN)
def read_the_passwords(bait):
    """Read the host's account with this name in /etc/passwd or /etc/shadow."""
    for path in ("/etc/passwd", "/etc/shadow"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if bait.host_account.encode() in file.read():
                return f"found it in {path}"
    return None


@attack("escape", "F1", nothing=True)
def search_for_a_name(bait):
    """Walk through everything that is seen, for a file with a secret's name."""
    for top, below, names in os.walk("/"):
        below[:] = [name for name in below if os.path.join(top, name) not in ("/proc", "/sys", "/usr")]
        if bait.name in names:
            return f"found in {top}"
    return None


@attack("escape", "F8", refused=UNSEEN + " ECONNREFUSED")
def connect_to_a_socket_of_the_host(bait):
    """Connect to a daemon's socket at the path that it has on the host."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(bait.socket)
    return "connected"


@attack("tunnel", "K19", refused=UNSEEN + " ECONNREFUSED")
def connect_as_a_client(bait):
    """Connect back to where clients connect, past the guard."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(bait.front)
    return "connected"


@attack("escape", "B7", refused=UNSEEN + " ECONNREFUSED ENXIO")
def connect_to_a_socket_in_the_workspace(bait):
    """Connect to a socket in the granted folder: a read-only mount does not stop that."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{bait.ro}/agent.sock")
    return "connected"


@attack("escape", "B7", refused=UNSEEN + " EROFS ENXIO")
def write_into_a_pipe_in_the_workspace(bait):
    """Open the named pipe on which a program of the host waits."""
    return opened(f"{bait.ro}/pipe")


@attack("escape", "H1", refused=UNSEEN)
def follow_a_link_out_of_the_workspace(bait):
    """Read through a link in the granted folder."""
    return secret_at(bait, f"{bait.ro}/link")


@attack("escape", "H3", refused=UNSEEN)
def follow_a_link_to_a_directory(bait):
    """Read below a link to a whole directory."""
    return secret_at(bait, f"{bait.ro}/link-to-beside/{bait.name}")


@attack("escape", "H1", refused=UNSEEN)
def follow_a_link_of_its_own(bait):
    """Make a link in what may be written to, and read through it."""
    os.symlink(bait.secrets["beside"], "own")
    return secret_at(bait, "own")


@attack("escape", "H3", refused=UNSEEN)
def climb_out_of_the_workspace(bait):
    """Read by a path that climbs."""
    return secret_at(bait, f"{bait.ro}/../../../../../../../{bait.secrets['beside']}")


@attack("escape", "F6", refused=UNSEEN)
def climb_through_a_descriptor(bait):
    """Open the granted folder, and climb from its descriptor, as a root is left by those who chroot."""
    directory = os.open(bait.ro, os.O_PATH)
    file = os.open("../" * 12 + bait.secrets["beside"].lstrip("/"), os.O_RDONLY, dir_fd=directory)
    return "read" if bait.secret.encode() in os.read(file, 1000) else None


@attack("escape", "F6", refused=UNSEEN)
def climb_through_proc_self(bait):
    """Read below /proc/self/root and /proc/self/cwd."""
    found = [secret_at(bait, f"/proc/self/{way}/../../../../../{bait.secrets['beside']}") for way in ("cwd",)]
    return secret_at(bait, f"/proc/self/root{bait.secrets['beside']}") or found[0]


@attack("escape", "F6", refused=UNSEEN, nothing=True)
def look_through_other_roots(bait):
    """Read below the root directory of every process that is seen."""
    for root in glob.glob("/proc/[0-9]*/root"):
        with contextlib.suppress(OSError):
            if told := secret_at(bait, root + bait.secrets["beside"]):
                return told
    return None


@attack("escape", "F7", nothing=True)
def find_a_leaked_descriptor(bait):
    """Read what is open in any process that is seen, the host's file among it."""
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if bait.name in os.readlink(path):
                return f"{path} is {os.readlink(path)}"
    return None


@attack("escape", "F5 B2", nothing=True)
def find_a_variable_of_the_host(bait):
    """Search every environment and command line that is seen."""
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if bait.variable.encode() in file.read():
                return f"found in {path}"
    return None


@attack("escape", "H7", root=True, nothing=True, refused="EPERM EACCES")
def run_a_set_id_program(bait):
    """Run a program of root's, with the set-user-ID bit, out of the granted folder, and be root."""
    uid = 65534 if os.geteuid() == 0 else None
    done = subprocess.run([f"{bait.ro}/set-id", "-u"], capture_output=True, text=True, check=True, user=uid)
    return "ran as root" if done.stdout.split() == ["0"] else None


@attack("escape", "F10", refused=SHUT, root=True, gvisor=OWN_KERNEL)
def make_a_disk(bait):
    """Make a device file of the host's first disk."""
    os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    return "made"


@attack("escape", "F10 H7", refused=SHUT, root=True)
def make_a_device_in_a_writable_folder(bait):
    """Leave a device file in what the host will read."""
    path = f"{bait.rw}/device"
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 1))
    os.unlink(path)
    return "made"


@attack("escape", "F9", nothing=True, root=True)
def open_a_device(bait):
    """Open any device but those that every program needs."""
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "net/tun", "fuse"}
    for top, _, names in os.walk("/dev"):
        for path in (f"{top}/{name}" for name in names):
            with contextlib.suppress(OSError):
                mode = os.lstat(path).st_mode
                special = stat.S_ISBLK(mode) or stat.S_ISCHR(mode)
                if special and path[5:] not in harmless and not path.startswith("/dev/pts/"):
                    return opened(path, os.O_RDONLY)
    return None


@attack("escape", "S13 B4", refused=UNSEEN + " EIO ENXIO")
def open_a_terminal_of_the_host(bait):
    """Open the terminal on which somebody works, by its number."""
    terminal = os.open(bait.terminal, os.O_RDWR | os.O_NOCTTY)
    os.ttyname(terminal)
    return "opened"


@attack("escape", "D12", refused="EXDEV EPERM EROFS EACCES")
def link_a_file_that_is_read_only(bait):
    """Give a read-only file a second name where writing is allowed."""
    os.link(f"{bait.ro}/data", f"{bait.rw}/hard")
    os.unlink(f"{bait.rw}/hard")
    return "linked"


@attack("escape", "D9", refused=SHUT)
def create_in_a_read_only_folder(bait):
    """Create a file in the folder that was granted to read."""
    with open(f"{bait.ro}/created", "x"):
        return "created"


@attack("escape", "D9", refused=SHUT)
def write_to_a_read_only_file(bait):
    """Open a file for writing."""
    return opened(f"{bait.ro}/data", os.O_RDWR)


@attack("escape", "D9", refused=SHUT)
def truncate_a_read_only_file(bait):
    """Empty a file without opening it."""
    os.truncate(f"{bait.ro}/truncated", 0)
    return "truncated"


@attack("escape", "D9", refused=SHUT)
def remove_from_a_read_only_folder(bait):
    """Remove a file."""
    os.unlink(f"{bait.ro}/removed")
    return "removed"


@attack("escape", "D9", refused=SHUT)
def rename_in_a_read_only_folder(bait):
    """Give a file another name."""
    os.rename(f"{bait.ro}/renamed", f"{bait.ro}/renamed-to")
    return "renamed"


@attack("escape", "D9", refused=SHUT)
def change_the_mode_of_a_read_only_file(bait):
    """Change a file's mode."""
    os.chmod(f"{bait.ro}/data", 0o644)
    return "changed"


@attack("escape", "D9", refused=SHUT)
def touch_a_read_only_file(bait):
    """Change a file's times."""
    os.utime(f"{bait.ro}/data")
    return "touched"


@attack("escape", "D9", refused=SHUT)
def link_in_a_read_only_folder(bait):
    """Make a symbolic link."""
    os.symlink("data", f"{bait.ro}/symlink")
    return "made"


@attack("escape", "D9", refused=SHUT)
def make_a_directory_in_a_read_only_folder(bait):
    """Make a directory."""
    os.mkdir(f"{bait.ro}/directory")
    return "made"


@attack("escape", "D9", refused=SHUT)
def reopen_a_read_only_file_for_writing(bait):
    """Open a file to read, and open its descriptor again to write."""
    file = os.open(f"{bait.ro}/data", os.O_RDONLY)
    return opened(f"/proc/self/fd/{file}", os.O_RDWR)


@attack("escape", "D9", refused=SHUT + " ENOENT", root=True)
def write_to_the_system(bait):
    """Create a file in a directory of the system."""
    for place in ("/usr/bin", "/etc", "/opt", "/var/lib"):
        path = f"{place}/{bait.name}-made"
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(path)
            return f"created {path}"
    raise PermissionError(13, "nowhere")


@attack("escape", "F14", refused=SHUT + " ETXTBSY ENOENT", root=True)
def replace_the_running_program(bait):
    """Write to the program that runs, through /proc/self/exe (as CVE-2019-5736 did)."""
    path = os.readlink("/proc/self/exe")
    os.chmod("/proc/self/exe", os.stat(path).st_mode & 0o7777)
    return f"changed {path}"


@attack("escape", "H7", refused=SHUT, gvisor=SET_ID)
def leave_a_set_id_program(bait):
    """Leave a program in the writable folder that runs with its owner's rights."""
    path = f"{bait.rw}/left"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755))
    os.chmod(path, 0o4755)
    kept = os.stat(path).st_mode & stat.S_ISUID
    os.unlink(path)
    return "left" if kept else None


@attack("escape", "H12", refused="EPERM EACCES EINVAL EROFS", root=True)
def give_a_file_to_root(bait):
    """Make root the owner of a file in the writable folder."""
    path = f"{bait.rw}/given"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755))
    try:
        os.chown(path, 0, 0)
        return "given"
    finally:
        os.unlink(path)
