"""What the kernel's process is given, and that PID 1 is out of its reach."""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from tests.guest.driver import AS_PID_1, GUEST, guest


def seen(host, expression: str):
    """The value of an expression in the kernel."""
    return json.loads(host.run(f"import json, os, resource, signal\nprint(json.dumps({expression}))"))


def test_the_kernel_is_not_pid_1(host):
    """As PID 1 ipykernel would ignore SIGTERM and interrupt everybody but itself."""
    assert seen(host, "[os.getppid(), os.getpid() == os.getsid(0) == os.getpgid(0)]") == [1, True]


def test_the_environment_is_exactly_what_was_granted(directory):
    """Nothing of the guest's own environment goes in, and one variable of ours."""
    with guest(directory, *AS_PID_1, ready=False) as host:
        code = "import os, sys; sys.stdout.write(repr(dict(os.environ)))"
        host.start(sys.executable, "-S", "-c", code, env={"A": "b", "LC_ALL": "C.UTF-8"})
        log, _ = host.log_until_exit()
    assert eval(log) == {"A": "b", "LC_ALL": "C.UTF-8", "JPY_PARENT_PID": "1"}


def test_the_kernel_has_no_way_to_the_tunnel(directory):
    """Its stdin is /dev/null, its stdout and stderr are one pipe, and it inherits nothing else."""
    code = "import os\nfor n in range(3, 4096):\n try: print(n, os.fstat(n))\n except OSError: pass\n"
    code += "print(os.readlink('/proc/self/fd/0'), *[os.readlink(f'/proc/self/fd/{n}')[:5] for n in (1, 2)])"
    code += "\nprint(os.path.sameopenfile(1, 2))"
    with guest(directory, *AS_PID_1, ready=False) as host:
        host.start(sys.executable, "-S", "-c", code)
        log, _ = host.log_until_exit()
    assert log == "/dev/null pipe: pipe:\nTrue\n"


INTRUSIONS = {
    "open its descriptors": "os.open(f'/proc/{pid}/fd/' + os.listdir(f'/proc/{pid}/fd')[0], os.O_WRONLY)",
    "read its memory": "open(f'/proc/{pid}/mem', 'rb')",
    "read its environment": "open(f'/proc/{pid}/environ', 'rb').read()",
    "trace it": "trace(pid)",
}
ATTEMPT = """
import ctypes, os, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
def trace(pid):
    if libc.ptrace(0x4206, pid, None, None):  # PTRACE_SEIZE
        raise OSError(ctypes.get_errno(), 'ptrace')
def attempt(pid):
    try:
        {intrusion}
    except OSError as error:
        return os.strerror(error.errno)
    return 'it worked'
child = subprocess.Popen(['sleep', '100'], stdin=subprocess.PIPE)
while open(f'/proc/{{child.pid}}/comm').read() != 'sleep\\n': time.sleep(0.01)
print(attempt(child.pid), '/', attempt(1))
child.kill(); child.wait(); child.stdin.close()
"""


@pytest.mark.parametrize("name", INTRUSIONS)
def test_user_code_cannot_get_at_pid_1(host, name):
    """What works on any other process of the same user is refused on the guest."""
    attempt = ATTEMPT.format(intrusion=INTRUSIONS[name])
    ordinary, guarded = host.run(attempt).strip().split(" / ")
    assert ordinary == "it worked"
    assert guarded in {"Permission denied", "Operation not permitted"}


def test_no_new_privileges(directory):
    """A setuid program inside gains nothing, even where the engine did not see to it."""
    with guest(directory, "unshare", "-rpf", "--mount-proc", "--kill-child") as host:
        assert "NoNewPrivs:\t1" in host.run("print(open('/proc/self/status').read())")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGSEGV])
def test_user_code_cannot_signal_pid_1(host, number):
    """The kernel protects an init from its own namespace; the guest handles nothing it should not."""
    host.run(f"import os\nos.kill(1, {int(number)})")
    assert host.run("print('alive')") == "alive\n"


def test_limits_are_set_for_the_kernel(directory):
    """Open files and processes as ordered, and no core files."""
    own = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    processes = (
        own // 2 if own > 0 else 100_000
    )  # less than the guest itself has, and room for what root runs
    with guest(directory, *AS_PID_1, files=512, pids=processes) as host:
        names = ("NOFILE", "CORE", "NPROC")
        limits = seen(host, f"[resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in {names}]")
    assert limits == [[512, 512], [0, 0], [processes, processes]]


def test_the_kernel_dies_of_memory_before_its_guest(host):
    """When memory runs out, the guest must live to tell."""
    scores = seen(host, "[int(open(f'/proc/{p}/oom_score_adj').read()) for p in ('self', 1)]")
    assert scores[0] == 1000 > scores[1]


def test_a_guest_that_is_not_pid_1_never_kills_everybody(directory):
    """Outside a namespace of its own it ends its kernel, and only its kernel."""
    with subprocess.Popen(["sleep", "100"]) as bystander:
        with guest(directory) as host:
            host.run("import subprocess; subprocess.Popen(['sleep', '100'])")
            host.hang_up()
            assert host.end() == 0
        assert bystander.poll() is None
        bystander.kill()


def test_isolated_mode_ignores_what_the_environment_plants(directory):
    """A module put in the way of the standard library is not imported by PID 1."""
    (directory / "json.py").write_text("raise SystemExit('planted')")
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    end = subprocess.run(
        [*AS_PID_1, *GUEST], env=environment, cwd=directory, input=b"", capture_output=True, check=False
    )
    assert (end.returncode, end.stderr) == (0, b"")


SLOW = {
    "asyncio",
    "dataclasses",
    "json",
    "logging",
    "pathlib",
    "re",
    "socket",
    "subprocess",
    "threading",
    "typing",
}
"""What takes milliseconds to import, of which every start of a sandbox has two dozen."""


def test_pid_1_imports_nothing_that_takes_its_time():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from sandbox_kernel.guest import __main__, nursery, service, supervisor\n"
        "print(*sys.modules)"
    )
    package = os.path.dirname(os.path.dirname(os.path.dirname(GUEST[-1])))
    command = [sys.executable, "-I", "-S", "-c", code, package]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not SLOW & set(run.stdout.split())
