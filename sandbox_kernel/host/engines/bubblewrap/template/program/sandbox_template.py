"""A process that has imported what a kernel imports, and forks into sandboxes.

    host ── control socket ──> template ──fork──> K ──setns, fork──> K0 ──fork──> the kernel
                                                  │                  └ ends: the kernel is PID 1's
    guest (PID 1) ── nursery socket ──────────────┴ its own pidfd; then the kernel's number; the order

Nothing of a user's ever reaches the template: it is started with a kernel's plain environment, and told
per fork who to be and which walls to raise. What is granted comes to the kernel itself, from the guest.

Before any code of a user's runs, the kernel's process has been put under the sandbox's limits by the
host, has entered the namespaces, given up every capability, raised Landlock's wall, loaded the
filter of system calls; and it has compared itself with PID 1, which was started the usual way. If
anything of this fails it ends, and the guest starts a kernel the usual way.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import marshal
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from typing import Any

CONTROL, OUTPUT = 3, 4
READY = b"ready"
MOST = 1 << 18
"""Bytes of a request: a filter of system calls has 10 KiB, Landlock's rules 2 KiB."""

SCRATCH = "sandbox-kernel-template-"

PATIENCE = 20.0
"""Seconds for a guest to appear and to give its order; then its kernel was started otherwise."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP = 1, 4, 15, 22
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3, CAP_DAC_READ_SEARCH = 0x20080522, 2

KERNELS = (
    "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger", "debugpy.server.api",
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.extensions.storemagic",
    "tornado.platform.asyncio", "tornado.queues",
    "encodings.idna", "faulthandler", "gzip", "http.client", "pdb", "psutil", "pydoc", "sqlite3", "xmlrpc.client",
)  # fmt: skip
"""What a kernel has imported when its first cell ends, as far as it is there."""

SAME = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters")
"""Lines of /proc/PID/status in which a kernel must be like the process that bubblewrap started."""

_GIVEN = frozenset(os.environ)
_SEEN = frozenset(path for path in sys.path if os.path.exists(path))
"""What was there before anything was imported."""

libc = ctypes.CDLL(None, use_errno=True)


_LANDLOCK = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "landlock")
sys.path.insert(0, _LANDLOCK)
import raise_wall  # noqa: E402 - found only now; it is what PID 1 runs

sys.path.remove(_LANDLOCK)


class LeftError(Exception):
    """The template cannot be used, or a fork of it; the message says why, for a log."""


def serve() -> None:
    """Import, then fork on demand; return in a process that has become a kernel's.

    The template itself ends when its host does: there is nobody left at the other end.
    """
    control = socket.socket(fileno=CONTROL)
    try:
        orders = marshal.loads(control.recv(MOST))  # noqa: S302 - from our own parent
        _import(orders["modules"], orders["uid"])
        _settle()
    except LeftError as error:
        control.send(str(error).encode(errors="replace"))
        os._exit(1)
    control.send(READY)
    while True:
        data, fds, _, _ = socket.recv_fds(control, MOST, 2)
        if not data:
            os._exit(0)
        child = _fork(control, marshal.loads(data), *fds)  # noqa: S302 - as above
        if child is None:
            return
        for fd in fds:
            os.close(fd)
        control.send(child)


def _fork(control: socket.socket, request: dict[str, Any], nursery: int, word: int) -> bytes | None:
    """Return what the host is told, or None in the process that has become a kernel's."""
    try:
        child = os.fork()
    except OSError as error:
        return f"no process could be forked: {error.strerror}".encode()
    if child:
        return b"%d" % child
    control.close()
    try:
        _become_a_kernel(request, socket.socket(fileno=os.dup(nursery)), word)
    except BaseException as error:  # noqa: BLE001 - the process's rim: the guest is told, and starts a kernel itself
        with socket.socket(fileno=nursery) as told:
            told.send(f"!{type(error).__name__}: {error}".encode(errors="replace")[:4096])
        os._exit(1)
    return None


def _import(modules: list[str], uid: int | None) -> None:
    """Import what kernels need and what was asked for; where root does it, as somebody who may write nothing."""
    scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-")
    elsewhere = dict.fromkeys(("MPLCONFIGDIR", "XDG_CACHE_HOME", "TMPDIR"), scratch)
    kept = {name: os.environ.get(name) for name in elsewhere}
    os.environ.update(elsewhere)
    if uid is not None:
        os.chown(scratch, uid, uid)
        _be_for_a_while(uid)
    try:
        importlib.import_module("ipykernel.kernelapp")
        for name in KERNELS:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        for name in modules:
            importlib.import_module(name)
    except Exception as error:
        raise LeftError(f"its modules cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        if uid is not None:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(scratch, ignore_errors=True)
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _be_for_a_while(uid: int) -> None:
    """Be somebody else who may read all that root may, and write nothing of anybody's."""
    os.setegid(uid)
    os.seteuid(uid)  # takes away what is effective, and keeps what is permitted
    header, data = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    libc.capget(header, data)
    effective, permitted, _, high, more, _ = struct.unpack("=6I", data.raw)
    wanted = struct.pack("=6I", effective | 1 << CAP_DAC_READ_SEARCH, permitted, 0, high, more, 0)
    if libc.capset(header, wanted):
        raise LeftError("root's right to read could not be kept")


def _settle() -> None:
    """Make sure that a fork is all of this process: no threads, no files but our own."""
    gc.collect()
    gc.freeze()
    child = os.fork()  # libraries with threads of their own (OpenBLAS) end them before a fork
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if len(os.listdir("/proc/self/task")) > 1:
        raise LeftError("what it has imported runs threads, which a fork would lose")
    extra = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > OUTPUT and _is_open(fd)]
    if extra:
        raise LeftError(f"what it has imported holds {os.readlink(f'/proc/self/fd/{extra[0]}')} open")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked


def _is_open(fd: int) -> bool:
    """Whether it is more than the descriptor by which descriptors were listed."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _become_a_kernel(request: dict[str, Any], nursery: socket.socket, word: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _die_with_parent()
    if os.read(word, 1) != b"g":  # the host has given up
        os._exit(0)
    if request["uid"] is not None:
        _give_up_root(request["uid"])
        _die_with_parent()
    nursery.settimeout(PATIENCE)
    _enter(nursery, request["namespaces"])
    _move_in()
    _lose_privileges()
    if request["landlock"]:
        raise_wall.raise_wall(*request["landlock"])
    _load_filter(request["seccomp"])
    _compare_with_init()
    _await_adoption()
    nursery.send(b"%d" % os.getpid())
    _obey(nursery)


def _die_with_parent() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _give_up_root(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _enter(nursery: socket.socket, namespaces: int) -> None:
    """Enter the namespaces of the process whose own pidfd the guest sends: no number to be reused."""
    said, fds, _, _ = socket.recv_fds(nursery, 16, 1)
    if not fds:
        raise LeftError("the guest has gone" if not said else "the guest sent no descriptor")
    if libc.setns(fds[0], namespaces):
        number = ctypes.get_errno()
        raise OSError(number, f"the namespaces cannot be entered: {os.strerror(number)}")
    os.close(fds[0])


def _move_in() -> None:
    """Become a process of the entered pid namespace, and an orphan there: a child of PID 1."""
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
    if os.fork():
        os._exit(0)


def _lose_privileges() -> None:
    """Drop every capability, those of the namespaces too, and the way to get any back."""
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) == 0:
        capability += 1
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header, none = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "the capabilities cannot be dropped")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_DUMPABLE, 1)  # as after an exec: changing users had cleared it


def _load_filter(code: bytes) -> None:
    """Load the filter of system calls: instructions of 8 bytes, as bubblewrap is given them."""
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.c_char_p(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the filter of system calls cannot be loaded")


def _compare_with_init() -> None:
    """Make sure that the walls around this process are those around PID 1, as far as one can see."""
    ours, its = _walls("self"), _walls("1")
    different = [name for name, value in its.items() if ours[name] != value]
    if different:
        raise LeftError(f"it differs from PID 1 in {', '.join(different)}")


def _walls(process: str) -> dict[str, str]:
    with open(f"/proc/{process}/status") as file:  # noqa: PTH123 - pathlib is not ours to import
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    walls = {name: lines.get(name, "") for name in SAME}
    for name in ("cgroup", "attr/current"):
        try:
            with open(f"/proc/{process}/{name}") as file:  # noqa: PTH123
                walls[name] = file.read()
        except OSError as error:  # no security module here, say: then for both
            walls[name] = str(error.errno)
    return walls


def _await_adoption() -> None:
    while os.getppid() != 1:
        os.sched_yield()  # the one in between has nothing to do but end


def _obey(nursery: socket.socket) -> None:
    """Take the guest's order, and be as if it had started us."""
    data, fds, _, _ = socket.recv_fds(nursery, MOST, 1)
    if not data:
        os._exit(0)
    order = marshal.loads(data)  # noqa: S302 - from PID 1, before any code of a user's runs
    if order["argv"] != sys.orig_argv:
        raise LeftError("it was made for another command")
    os.setsid()
    for descriptor, places in ((os.open("/dev/null", os.O_RDONLY), (0,)), (fds[0], (1, 2))):
        for place in places:
            os.dup2(descriptor, place)
    kept = nursery.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    for what, most in order["limits"]:
        resource.setrlimit(what, (most, most))
    set_by_imports = {name: value for name, value in os.environ.items() if name not in _GIVEN}
    os.environ.clear()
    os.environ.update({**set_by_imports, **order["env"]})
    try:
        os.chdir(order["cwd"])
    except OSError as error:
        nursery.send(f"the directory {order['cwd']}: {error.strerror}".encode(errors="replace"))
        os._exit(1)
    _freshen()
    nursery.send(READY)
    nursery.close()


def _freshen() -> None:
    """Forget what a process of its own would not share, or would have found out anew."""
    _prctl(PR_SET_NAME, ctypes.c_char_p(os.path.basename(sys.executable).encode()[:15]))
    tempfile.tempdir = None
    sys.path[:] = [path for path in sys.path if path not in _SEEN or os.path.exists(path)]  # inside, others are
    sys.path_importer_cache.clear()
    for name, forget in FORGET.items():
        if name in sys.modules:
            forget(sys.modules[name])


def _forget_directories(matplotlib: Any) -> None:
    """Have matplotlib ask once more where its configuration and its caches are."""
    for function in (matplotlib.get_configdir, matplotlib.get_cachedir):
        if hasattr(function, "cache_clear"):
            function.cache_clear()
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if name == "called":
                cell.cell_contents = False


def _prctl(option: int, value: Any) -> None:
    value = ctypes.c_ulong(value) if isinstance(value, int) else value
    if libc.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


FORGET: dict[str, Callable[[Any], object]] = {
    "random": lambda random: random.seed(),
    "numpy.random": lambda random: random.seed(),
    "multiprocessing.process": lambda process: setattr(
        process.current_process(), "authkey", os.urandom(32)
    ),
    "platform": lambda platform: setattr(platform, "_uname_cache", None),
    "matplotlib": _forget_directories,
}
"""Module → what makes it forget: seeds, keys, the host's name, names of directories that are gone."""
