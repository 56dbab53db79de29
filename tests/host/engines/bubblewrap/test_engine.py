import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox_kernel.errors import LimitUnenforceableError, StartError, WorkspaceError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.host.engines.bubblewrap import engine as engine_module
from sandbox_kernel.host.engines.bubblewrap.command import GUEST, guest_command
from sandbox_kernel.host.engines.bubblewrap.engine import start_command
from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.environment import HOME, RUNTIME
from sandbox_kernel.policy import Policy
from tests.host.engines.bubblewrap.inside import launch_for, python, shell
from tests.provisioner.kernels import until

ROOT = os.geteuid() == 0
POLICY = Policy(memory=256 << 20)


def start(directory, code="import time; print('up', flush=True); time.sleep(600)", policy=POLICY, **changes):
    return start_command(
        policy, launch_for(directory, **changes), lambda ours: [ours.executable, "-I", "-c", code]
    )


def hear(fd):
    os.set_blocking(fd, True)
    return os.read(fd, 100)


def test_every_limit_and_wall_is_reported():
    """A check names what keeps each limit and each wall, in sentences; nothing is left without a keeper."""
    entries = BubblewrapEngine().check(Policy())
    names = [entry.limit for entry in entries]
    assert {"memory", "cpus", "pids", "tmp", "files", "network", "workspace", "user", "system calls"} <= set(
        names
    )
    assert len(names) == len(set(names))
    assert all(entry.by and entry.detail.endswith(".") for entry in entries)


def test_the_guest_starts_and_is_told_what_to_run(tmp_path):
    """The process speaks first on its stdout; the message for it holds command, environment and places."""
    process = BubblewrapEngine().start(POLICY, launch_for(tmp_path, env={"GRANTED": "1"}))
    try:
        assert b"wire_version" in hear(process.stdout)
        message = process.start_message
        assert message.argv[0] == sys.executable
        assert "{connection_file}" in message.argv
        assert (message.cwd, message.runtime_dir, message.files) == (str(tmp_path), RUNTIME, POLICY.files)
        assert message.env["GRANTED"] == "1"
        assert message.env["HOME"] == HOME
        assert process.poll() is None
    finally:
        process.close()
    assert process.poll() is not None


def test_without_a_workspace_the_kernel_starts_at_home(tmp_path):
    """With the workspace mode none the notebook's directory is absent, and work starts in the home."""
    process = start(tmp_path, policy=Policy(workspace="none"))
    process.close()
    assert process.start_message.cwd == HOME
    assert shell(f"ls {tmp_path}", tmp_path, workspace="none").out == ""


def test_the_end_of_the_host_ends_the_guest(tmp_path):
    """When our end of its stdin closes, as it does when we die, the guest ends and all with it."""
    process = BubblewrapEngine().start(POLICY, launch_for(tmp_path))
    try:
        hear(process.stdout)
        spare = os.open("/dev/null", os.O_WRONLY)
        os.dup2(spare, process.stdin)
        os.close(spare)
        while hear(process.stdout):
            pass
        assert process._process.wait(10) is not None
    finally:
        process.close()


def test_kill_is_immediate_and_idempotent(tmp_path):
    """Killed from another thread, twice, also after its end and after close; the status is a signal's."""
    process = start(tmp_path)
    hear(process.stdout)
    killer = threading.Thread(target=process.kill)
    killer.start()
    killer.join()
    process.kill()
    assert process._process.wait(10) in (-9, 128 + 9)
    process.close()
    process.close()
    process.kill()
    assert process.poll() in (-9, 128 + 9)


def test_usage_outlives_the_sandbox(tmp_path):
    """What was counted can be read until and after close."""
    process = start(tmp_path, "x = bytearray(50 << 20); print('up', flush=True)")
    hear(process.stdout)
    process._process.wait(10)
    process.close()
    usage = process.usage()
    assert usage == process.usage()
    assert usage.oom_kills == 0


def test_exit_statuses_pass(tmp_path):
    """PID 1's exit status is the sandbox's; a death by signal is 128 and its number, as a shell has it."""
    assert python("raise SystemExit(7)", tmp_path).status == 7
    assert python("import os; os.kill(os.getpid(), 11)", tmp_path).status == 128 + 11


def test_nothing_stays(tmp_path, no_leftovers):
    """After a start and a close nothing is left: no process, cgroup, mount, file or descriptor."""
    start(tmp_path).close()
    before = set(os.listdir("/proc/self/fd"))
    start(tmp_path).close()
    until(lambda: set(os.listdir("/proc/self/fd")) <= before)  # a watchdog of before may be on its way out


@pytest.mark.parametrize("refusal", [LimitUnenforceableError("no"), KeyboardInterrupt()])
def test_limits_that_do_not_hold_stop_the_start(tmp_path, monkeypatch, no_leftovers, refusal):
    """When a limit cannot be applied, whatever the error, nothing runs and nothing stays."""
    ran = tmp_path / "ran"

    class Refusing:
        guest_pids = None

        def apply(self, pid, name):
            raise refusal

    monkeypatch.setattr(engine_module, "plan_limits", lambda policy: Refusing())
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(type(refusal)):
        start(tmp_path, f"open({str(ran)!r}, 'w')", policy=Policy(workspace="rw"))
    assert set(os.listdir("/proc/self/fd")) == before
    assert not ran.exists()


def test_limits_hold_before_anything_runs(tmp_path):
    """The sandbox's first process inside is already in the group that the limits made."""
    out = shell("cat /proc/self/cgroup", tmp_path).out
    assert all(line.rpartition(":")[2] == "/" for line in out.splitlines())


def test_failures_leave_no_descriptor(tmp_path):
    """A refused workspace and a kernel that does not exist leave no descriptor open."""
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(WorkspaceError):
        start(Path("/"))
    with pytest.raises(StartError):
        start(tmp_path, argv=("/nowhere/python",))
    assert set(os.listdir("/proc/self/fd")) <= before  # what others had left open may have been collected


def test_what_bubblewrap_complains_about_is_readable(tmp_path):
    """When the command inside cannot be executed, the reason comes on stderr and the status is not zero."""
    process = start_command(POLICY, launch_for(tmp_path), lambda _: ["/nowhere/program"])
    try:
        assert process._process.wait(10) == 1
        assert b"No such file" in os.read(process.stderr, 1000)
    finally:
        process.close()


def test_streams_do_not_block_and_are_large(tmp_path):
    """Our ends never block, and the pipes are larger than the usual 64 KiB where we may have that."""
    process = start(tmp_path)
    try:
        assert not any(os.get_blocking(fd) for fd in (process.stdin, process.stdout, process.stderr))
        with pytest.raises(BlockingIOError):
            while True:
                os.write(process.stdin, bytes(1 << 16))
    finally:
        process.close()


def test_the_guest_looks_for_no_packages():
    """It needs none, and to look for some costs half of what starting Python does."""
    command = guest_command(Interpreter("/usr/bin/python3", ("/usr",), ()))
    assert command == ["/usr/bin/python3", "-I", "-S", "-B", GUEST]


def test_a_kernel_of_another_environment(tmp_path, tmp_path_factory):
    """The kernel may run on another interpreter than the guest: its environment is shown, read-only."""
    other = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    argv = (str(other / "bin/python"), "-m", "ipykernel_launcher")
    code = f"{other}/bin/python -c 'import sys; print(sys.prefix)'; touch {other}/x"
    result = shell(code, tmp_path, argv=argv)
    assert result.out.strip() == str(other)
    assert "Read-only file system" in result.err


def test_the_plug_in_a_writable_folder_is_read_only(tmp_path, monkeypatch):
    """The host imports it from where it finds it: code inside does not change it there, but all around it."""
    plug = tmp_path / "provisioner/sandbox_provisioner"
    plug.mkdir(parents=True)
    (plug / "__init__.py").touch()
    monkeypatch.syspath_prepend(plug.parent)
    monkeypatch.delitem(sys.modules, "sandbox_provisioner", raising=False)
    script = f"touch {tmp_path}/x; touch {plug}/x; mv {plug.parent} {tmp_path}/moved"
    result = shell(script, tmp_path, workspace="rw")
    assert "Read-only file system" in result.err
    assert "Device or resource busy" in result.err
    assert sorted(os.listdir(tmp_path)) == ["provisioner", "x"]


def test_a_program_named_without_a_path(tmp_path, monkeypatch):
    """A kernelspec that says just `python3` gets the one that PATH finds on the host, by its full name."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    process = start(tmp_path, argv=("python3", "-m", "ipykernel_launcher"))
    process.close()
    assert process.start_message.argv[0] == "/usr/bin/python3"


def test_a_workspace_through_a_link(tmp_path):
    """A directory reached through a link is there under both names; the kernel starts in the given one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/data").write_text("data\n")
    (tmp_path / "link").symlink_to("real")
    assert (
        shell(f"cd {tmp_path}/link && cat data {tmp_path}/real/data", tmp_path / "link").out == "data\ndata\n"
    )
    process = start(tmp_path / "link")
    process.close()
    assert process.start_message.cwd == str(tmp_path / "link")


def test_many_at_once(tmp_path, no_leftovers):
    """Twelve starts from as many threads do not get in each other's way."""
    results = []

    def run():
        results.append(python("import os; print(os.getpid() > 1)", tmp_path).out)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["True\n"] * 12


def test_the_host_dying_before_the_word_starts_nothing(tmp_path, no_leftovers):
    """A host killed between starting the waiting process and letting it go leaves no sandbox."""
    program = f"""
import os, signal, sys
from pathlib import Path
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.bubblewrap import engine
from sandbox_kernel.policy import Policy

class Dying:
    guest_pids = None
    def apply(self, pid, name):
        os.kill(os.getpid(), signal.SIGKILL)

engine.plan_limits = lambda policy: Dying()
launch = Launch((sys.executable,), Path({str(tmp_path)!r}), {secrets.token_hex(8)!r})
inner = ["/usr/bin/touch", {str(tmp_path / "ran")!r}]
engine.start_command(Policy(workspace="rw"), launch, lambda ours: inner)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    assert no_leftovers.settle() == set()
    assert not (tmp_path / "ran").exists()
