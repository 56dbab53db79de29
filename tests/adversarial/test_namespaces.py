"""Promise: code inside is alone: no process, network, privilege or mount of the host is within reach.

The calls themselves are refused by the filter of system calls. To show that the namespaces hold
without it, some attacks run with a filter that allows everything: one wall is taken away, the
other must stand.
"""

import os
import secrets
import socket
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.bubblewrap import engine as engine_module
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.inside import python, shell

ALLOW_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)  # one instruction: return SECCOMP_RET_ALLOW
KINDS = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")

CALLS = """
    import ctypes, errno, os, sys
    libc = ctypes.CDLL(None, use_errno=True)
    def attempt(name, function, *arguments):
        ctypes.set_errno(0)
        result = function(*arguments)
        print(name, "done" if result >= 0 else errno.errorcode[ctypes.get_errno()])
"""


@pytest.fixture
def no_filter(monkeypatch):
    """Take the filter of system calls away."""
    monkeypatch.setattr(engine_module, "load_filter", lambda: ALLOW_ALL)


def program(body):
    return textwrap.dedent(CALLS) + textwrap.dedent(body)


def test_every_namespace_is_its_own(tmp_path):
    """None of the seven namespaces is the host's."""
    code = f"import os\nfor kind in {KINDS}: print(kind, os.readlink('/proc/self/ns/' + kind))"
    inside = dict(line.split() for line in python(code, tmp_path).out.splitlines())
    ours = {kind: str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in KINDS}
    assert set(inside) == set(KINDS)
    assert not {kind for kind in KINDS if inside[kind] == ours[kind]}


def test_no_privileges(tmp_path, no_filter):
    """No capability is left in any set, none can be gained, and the filter is counted when it is there."""
    status = dict(
        line.split(":\t", 1)
        for line in python("print(open('/proc/self/status').read())", tmp_path).out.splitlines()
        if line
    )
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    assert {int(status[name], 16) for name in sets} == {0}
    assert status["NoNewPrivs"] == "1"


def test_the_filter_is_on(tmp_path):
    """A real launch has a filter of system calls in force."""
    assert "Seccomp:\t2" in python("print(open('/proc/self/status').read())", tmp_path).out


NEST = """
    CLONE_NEWUSER = 0x10000000
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    child = libc.syscall(number, CLONE_NEWUSER | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    print("clone", "done" if child > 0 else errno.errorcode[ctypes.get_errno()])
    attempt("unshare", libc.unshare, CLONE_NEWUSER)
"""


def test_no_namespace_in_the_namespace(tmp_path):
    """A user namespace, which would bring capabilities, cannot be made; outside it can."""
    outside = subprocess.run(
        [sys.executable, "-I", "-c", program(NEST)], capture_output=True, text=True, check=True
    )
    assert outside.stdout.split() == ["clone", "done", "unshare", "done"]
    assert python(program(NEST), tmp_path).out.split() == ["clone", "EPERM", "unshare", "EPERM"]


def test_no_namespace_in_the_namespace_without_the_filter(tmp_path, no_filter):
    """The kernel itself refuses user namespaces inside, when no filter does."""
    assert python(program(NEST), tmp_path).out.split() == ["clone", "ENOSPC", "unshare", "ENOSPC"]


MOUNT = """
    attempt("mount", libc.mount, b"none", b"/tmp", b"tmpfs", 0, None)
    attempt("remount", libc.mount, None, b"/usr", None, 32 | 4096, None)
    attempt("umount", libc.umount2, b"/proc/keys", 2)
    attempt("chroot", libc.chroot, b"/tmp")
    attempt("pivot_root", libc.pivot_root, b"/tmp", b"/tmp")
    attempt("sethostname", libc.sethostname, b"host", 4)
    attempt("open_tree", libc.syscall, 428, -100, b"/", 1)
    attempt("fsopen", libc.syscall, 430, b"tmpfs", 0)
    attempt("setns", libc.setns, os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)
"""


@pytest.mark.parametrize("filtered", [True, False])
def test_no_mounts(tmp_path, request, filtered):
    """Mounts, roots, names and other namespaces are refused, with and without the filter."""
    if not filtered:
        request.getfixturevalue("no_filter")
    seen = dict(line.split() for line in python(program(MOUNT), tmp_path).out.splitlines())
    assert len(seen) == 9
    assert set(seen.values()) <= {"EPERM", "EINVAL", *(["ENOSYS"] if filtered else [])}, seen


TRACE = """
    PTRACE_ATTACH, PTRACE_DETACH = 16, 17
    attempt("attach", libc.ptrace, PTRACE_ATTACH, 1, 0, 0)
    os.waitpid(1, 0x40000000) if sys.argv[1:] else None
    libc.ptrace(PTRACE_DETACH, 1, 0, 0)
"""


def test_pid_1_is_not_traced(tmp_path, request):
    """Tracing PID 1 could freeze the sandbox for ever: an unfiltered one is attached to, ours is not."""
    assert python(program(TRACE), tmp_path).out == "attach EPERM\n"
    request.getfixturevalue("no_filter")
    assert python(program(TRACE), tmp_path, "wait").out == "attach done\n"


def test_other_processes_are_not_seen(tmp_path):
    """Only the sandbox's own processes are in /proc, and a signal to everybody reaches only them."""
    code = """
        import os, signal
        print(*sorted(int(name) for name in os.listdir("/proc") if name.isdigit()), flush=True)
        os.kill(-1, signal.SIGKILL) if os.fork() == 0 else os.wait()
    """
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        result = python(code, tmp_path)
        assert set(map(int, result.lines)) <= set(range(1, 9))
        assert "1" in result.lines
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_no_network_but_loopback(tmp_path):
    """There is one interface, lo; a server on the host's loopback or abstract socket is out of reach."""
    name = f"\0marker-{secrets.token_hex(4)}"
    code = f"""
        import socket, sys
        print(*[name for _, name in socket.if_nameindex()])
        def reach(family, address):
            with socket.socket(family) as client:
                client.settimeout(5)
                try:
                    client.connect(address)
                    print("connected")
                except OSError as error:
                    print(error.strerror or "timeout")
        reach(socket.AF_INET, ("127.0.0.1", int(sys.argv[1])))
        reach(socket.AF_INET, ("192.0.2.1", 80))
        reach(socket.AF_UNIX, "\\0" + {name[1:]!r})
        try:
            print(socket.gethostbyname("example.com"))
        except OSError:
            print("no such host")
    """
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()
        port = str(server.getsockname()[1])
        socket.create_connection(("127.0.0.1", int(port))).close()
        seen = python(code, tmp_path, port).out.splitlines()
    assert seen == [
        "lo",
        "Connection refused",
        "Network is unreachable",
        "Connection refused",
        "no such host",
    ]


def test_shared_memory_of_the_host_is_not_seen(tmp_path):
    """System V and POSIX shared memory are the sandbox's own."""
    name = f"marker-{secrets.token_hex(4)}"
    Path("/dev/shm", name).touch()
    try:
        assert python("import os; print(os.listdir('/dev/shm'))", tmp_path).out == "[]\n"
    finally:
        Path("/dev/shm", name).unlink()
    lines = shell("cat /proc/sysvipc/shm", tmp_path).out.splitlines()
    assert len(lines) <= 1


def test_the_session_is_its_own(tmp_path):
    """There is no controlling terminal into which input could be pushed (TIOCSTI), nor a session to join."""
    code = """
        import os
        try:
            os.open("/dev/tty", os.O_RDWR)
            print("opened")
        except OSError as error:
            print(error.strerror)
        print(os.getsid(0) in (1, 2), [os.isatty(fd) for fd in range(3)])
    """
    assert python(code, tmp_path).out.splitlines() == [
        "No such device or address",
        "True [False, False, False]",
    ]


def test_everything_dies_with_bubblewrap(tmp_path):
    """Daemons that left their session die when the one process outside does."""
    code = """
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                print(os.readlink("/proc/self/ns/pid"), flush=True)
                time.sleep(600)
        time.sleep(600)
    """
    launch = Launch((sys.executable,), tmp_path, secrets.token_hex(8))
    inner = ["-I", "-c", textwrap.dedent(code)]
    process = engine_module.start_command(Policy(), launch, lambda ours: [ours.executable, *inner])
    try:
        os.set_blocking(process.stdout, True)
        said = b""
        while said.count(b"\n") < 3:
            said += os.read(process.stdout, 1000)
        namespace = said.decode().split()[0]
        assert len(living_in(namespace)) >= 4
        os.kill(process.pid, 9)
        while os.read(process.stdout, 1000):  # ends when the last process that could write is gone
            pass
        assert process._process.wait(10) == -9
        while living_in(namespace):  # a process is gone from /proc a moment after its descriptors are
            os.sched_yield()
    finally:
        process.close()


def living_in(namespace):
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if str((path / "ns/pid").readlink()) == namespace:
                found.append(path.name)
        except OSError:
            continue
    return found
