"""Programs that ignore provisioners, as VS Code does: they run the argv and treat it as the kernel."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from sandbox_provisioner.command import LAUNCHER, SAFE
from sandbox_provisioner.launcher import GRACE, UsageError, split

from tests.provisioner.kernels import PATIENCE, printed, until

pytestmark = pytest.mark.usefixtures("jupyter")

FILE = "connection.json"
COMMAND = [sys.executable, *SAFE, *LAUNCHER]


@contextlib.contextmanager
def launched(*arguments, transport="tcp", wait=True, prefix=(), command=None, **environment):
    """Run our argv as VS Code does, with a client on it; the connection file is the client's."""
    ip = {"tcp": "127.0.0.1", "ipc": str(Path.cwd() / "k")}[transport]
    write_connection_file(FILE, ip=ip, transport=transport, key=b"the-clients-key")
    process = subprocess.Popen(
        [*prefix, *(command or COMMAND), "-f", FILE, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    client = BlockingKernelClient()
    client.load_connection_file(FILE)
    if transport == "tcp":
        until(lambda: process.poll() is not None or listening(client.iopub_port))
    client.start_channels(hb=False)
    try:
        if wait:
            ready(client)
        yield process, client
    finally:
        client.stop_channels()
        if process.poll() is None:
            below = (
                Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() if prefix else ()
            )
            process.kill()
            for launcher in below:  # what the prefix has started outlives it
                os.kill(int(launcher), signal.SIGKILL)
        process.communicate()


def listening(port):
    """Tell whether somebody listens at a TCP port, without trying it.

    Who connects to a free port of the ephemeral range on the same machine may reach himself.
    """
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(entry[1].endswith(f":{port:04X}") and entry[3] == "0A" for entry in entries)


def ready(client):
    """Wait for an answer whose end is heard: what was published before the client listened is not."""
    while True:
        client.kernel_info()
        reply = client.get_shell_msg(timeout=PATIENCE)
        assert reply["msg_type"] == "kernel_info_reply"
        with contextlib.suppress(queue.Empty):
            until(lambda: client.get_iopub_msg(timeout=1)["content"].get("execution_state") == "idle")
            return


def ended(process):
    """Return the exit code, and what the process had said."""
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_it_serves_what_the_file_says(no_leftovers, transport):
    """The kernel is at the addresses and has the key of the file, and is behind the wall."""
    with launched(transport=transport) as (process, client):
        assert printed(client, "import os; print(os.getppid(), os.getcwd())") == f"1 {Path.cwd()}"
        client.shutdown()
        assert ended(process) == (0, "")
        assert Path(FILE).exists()  # it is the client's
    assert not no_leftovers.settle()


def test_arguments_reach_the_kernel():
    """What follows the connection file is for ipykernel."""
    with launched("--IPKernelApp.exec_lines=granted=42") as (_, client):
        assert printed(client, "print(granted)") == "42"


DECOYS = ("zmq.py", "json.py", "typing.py", "usercustomize.py", "sandbox_provisioner/__init__.py")


def test_secrets_and_audit_come_along(tmp_path):
    """A program that knows nothing of walls gets its secret, masked, and is written down like any other."""
    canary = "canary-0123456789abcdef"
    place = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with launched(SANDBOX_KERNEL_SECRETS="TOKEN:env", TOKEN=canary, **place) as (process, client):
        shown = printed(client, "import os; print(len(os.environ['TOKEN']), os.environ['TOKEN'])")
        assert shown == f"{len(canary)} [secret TOKEN]"
        client.shutdown()
        assert ended(process) == (0, "")
    log = (tmp_path / "state" / "sandbox-kernel" / "audit.jsonl").read_text()
    assert canary not in log
    assert [json.loads(line)["event"] for line in log.splitlines()][:2] == ["session_start", "cell"]


def plant_decoys(mark):
    """Leave what a cell of yesterday may have left beside the notebook; tell where it ran, if it can."""
    for name in DECOYS:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(mark)!r}, 'a').write({name!r} + ' ')\n")
    Path("sandbox_provisioner/__main__.py").write_text("")


@pytest.mark.parametrize("environment", [{}, {"PYTHONPATH": "."}, {"PYTHONPATH": ":"}])
def test_nothing_of_the_notebooks_folder_is_imported_outside(jupyter, tmp_path, environment):
    """Files that bear the names of modules do not run on the host; by the plain `python -m` they would."""
    mark = tmp_path / "escaped"
    plant_decoys(mark)
    argv = KernelSpecManager().get_kernel_spec("boxed").argv
    command = [sys.executable, *argv[1 : argv.index("-f")]]
    with launched(command=command, **environment) as (process, client):
        client.shutdown()
        assert ended(process) == (0, "")
    assert not mark.exists(), mark.read_text()
    attack = [part for part in command if part not in SAFE]
    subprocess.run([*attack, "-f", FILE], check=False, capture_output=True, timeout=PATIENCE)
    assert mark.exists()


def test_cells_import_from_the_notebooks_folder():
    """What protects the launcher takes nothing from the kernel: modules beside the notebook are found."""
    Path("helper.py").write_text("answer = 42")
    with launched() as (_, client):
        assert printed(client, "import helper, sys; print(helper.answer, sys.flags.safe_path)") == "42 False"


def test_without_protection_nothing_starts():
    """Started without -P, the launcher says so and starts nothing, whatever its arguments."""
    run = subprocess.run(
        [sys.executable, *LAUNCHER, "-f", FILE], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert "python -E -P -m sandbox_provisioner" in run.stderr
    assert run.stderr.count("\n") == 1


def test_it_is_there_before_the_kernel():
    """Clients may connect and ask before anybody answers; VS Code does not wait for more than the ports."""
    with launched(wait=False, transport="ipc") as (_, client):
        assert printed(client, "print(1)") == "1"


@pytest.mark.parametrize("way", ["signal", "group", "message"])
@pytest.mark.parametrize("code", ["while True: pass", "import subprocess; subprocess.run(['sleep', '600'])"])
def test_interrupts(way, code):
    """SIGINT to the process or its group, or an interrupt_request, interrupts the cell and nothing else."""
    with launched(prefix=["setsid", "--fork", "--wait"] if way == "group" else ()) as (process, client):
        message = client.execute(f"print('go', flush=True)\n{code}")
        until(lambda: client.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream")
        if way == "message":
            client.control_channel.send(client.session.msg("interrupt_request", {}))
        elif way == "signal":
            process.send_signal(signal.SIGINT)
        else:
            launcher = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
            os.killpg(launcher, signal.SIGINT)
        reply = client.get_shell_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == message
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert process.poll() is None


STUBBORN = """
import time
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize(
    ("cell", "status", "words"),
    [
        ("import os; os._exit(7)", 7, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 138, "SIGSEGV"),
        ("x = bytearray(1 << 30)", 137, "256 MiB memory"),
        (STUBBORN, 124, "deadline of 3 s"),
    ],
)
def test_it_exits_when_the_kernel_does(cell, status, words):
    """The exit code says how the kernel ended, and one sentence explains whatever was not normal."""
    with launched(SANDBOX_KERNEL_MEMORY="256m", SANDBOX_KERNEL_CELL_TIMEOUT="3s") as (process, client):
        client.execute(cell)
        code, errors = ended(process)
    assert (code, words in errors) == (status, True)
    assert "Traceback" not in errors


@pytest.mark.parametrize("status", [2, 124, 130, 137, 138, 143])
def test_a_kernel_cannot_forge_the_reason(status):
    """An exit status that would pass for a deadline, a limit, a stop or a signal to us says that it died."""
    with launched() as (process, client):
        client.execute(f"import os; os._exit({status})")
        code, errors = ended(process)
    assert code == 138
    assert f"ended itself with exit status {status}" in errors
    assert errors.count("\n") == 1


def test_a_kernel_that_is_shut_down_cannot_forge_it_either():
    """The same holds for the exit status of a kernel that was told to shut down."""
    with launched() as (process, client):
        printed(client, "import atexit, os; _ = atexit.register(os._exit, 137)")
        client.shutdown()
        assert ended(process)[0] == 138


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it(no_leftovers, signum):
    """SIGTERM and SIGHUP end kernel and sandbox, with the exit code that shells know."""
    with launched() as (process, _):
        process.send_signal(signum)
        assert ended(process)[0] == 128 + signum
    assert not no_leftovers.settle()


def test_a_kernel_that_does_not_listen_is_killed():
    """A kernel that ignores SIGTERM has two seconds."""
    with launched() as (process, client):
        printed(client, "import signal; _ = signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE / 2)
        assert ended(process)[0] == 143


def test_asked_twice_it_hurries():
    """A second SIGTERM does not wait for the kernel."""
    with launched() as (process, client):
        printed(client, "import signal; _ = signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE / 4)
        process.terminate()
        assert process.wait(timeout=GRACE / 2) == 143


def test_killed_it_leaves_nothing(no_leftovers):
    """kill -9 on the launcher ends the sandbox too."""
    with launched() as (process, _):
        process.kill()
        process.wait()
    assert not no_leftovers.settle()


RUN_AND_DIE = """
import subprocess, sys, os
process = subprocess.Popen([*sys.argv[2:], "-f", sys.argv[1]])
print(process.pid, flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.parametrize("nohup", [False, True])
def test_its_parent_dies(no_leftovers, nohup):
    """It ends with the program that started it, however that ends; unless it was told to ignore hang-ups."""
    write_connection_file(FILE, key=b"the-clients-key")
    parent = subprocess.Popen(
        [*(["nohup"] if nohup else []), sys.executable, "-c", RUN_AND_DIE, FILE, *COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    launcher = int(parent.stdout.readline())
    client = BlockingKernelClient()
    client.load_connection_file(FILE)
    until(lambda: listening(client.iopub_port))
    client.start_channels(hb=False)
    try:
        ready(client)
        parent.stdin.close()
        parent.wait()
        if nohup:
            assert printed(client, "import time; time.sleep(1); print(1)") == "1"
            os.kill(launcher, signal.SIGTERM)
    finally:
        client.stop_channels()
        parent.stdout.close()
    assert not no_leftovers.settle()


def test_a_thread_that_dies_is_not_a_parent_that_dies(jupyter):
    """jupyter_client starts kernels from passing threads; the kernel stays when such a thread ends."""
    jupyter.spec("unaware", metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}})
    manager = KernelManager(kernel_name="unaware")
    thread = threading.Thread(target=manager.start_kernel, kwargs={"stderr": subprocess.DEVNULL})
    thread.start()
    thread.join()
    client = manager.client()
    until(lambda: listening(client.iopub_port))
    client.start_channels(hb=False)
    try:
        ready(client)
        assert printed(client, "import os; print(os.getppid())") == "1"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def failure(*arguments, **environment):
    """Return the exit code and the words of a launcher that cannot start."""
    run = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
        check=False,
    )
    assert "Traceback" not in run.stderr
    assert run.stderr.count("\n") <= 2
    return run.returncode, run.stderr


def test_errors_are_one_sentence(tmp_path):
    """What is wrong is said in a sentence, with an exit code that tells a bad request from a bad end."""
    code, words = failure("-f", FILE, SANDBOX_KERNEL_MEMROY="1g")
    assert (code, "SANDBOX_KERNEL_MEMORY" in words) == (2, True)
    code, words = failure()
    assert (code, "usage" in words) == (2, True)
    code, words = failure("-f", "absent.json")
    assert (code, "absent.json" in words) == (138, True)
    Path(FILE).write_text("{}")
    code, words = failure("-f", FILE)
    assert (code, FILE in words) == (138, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": ""}, "no key"),
        ({"key": None}, "no key"),
        ({"signature_scheme": "hmac-md5"}, "signature scheme"),
        ({"curve_publickey": "x" * 40, "curve_secretkey": "y" * 40}, "CurveZMQ"),
        ({"transport": "carrier-pigeon"}, "carrier-pigeon"),
        ({"shell_port": 99999}, "99999"),
        ({"shell_port": "x"}, "x"),
        ({"ip": "203.0.113.1"}, "203.0.113.1"),
    ],
)
def test_connection_files_that_cannot_be_served(changes, words):
    """What we would serve differently from what the client expects is refused by name."""
    write_connection_file(FILE, key=b"the-clients-key")
    Path(FILE).write_text(json.dumps(json.loads(Path(FILE).read_text()) | changes))
    code, errors = failure("-f", FILE)
    assert (code, words in errors) == (138, True)


def test_help():
    """--help explains signals and exit codes."""
    command = [*COMMAND, "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "SIGTERM" in run.stdout
    assert "137" in run.stdout


def test_a_taken_port_is_named():
    """Where another program has the port, the address is in the message."""
    with launched() as (_, _):
        code, words = failure("-f", FILE)
    assert (code, "tcp://127.0.0.1" in words) == (138, True)


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["-f", FILE], []),
        ([f"-f={FILE}"], []),
        ([f"--f={FILE}", "-x"], ["-x"]),
        (["--f", FILE], []),
        (["a", f"--IPKernelApp.connection_file={FILE}", "b"], ["a", "b"]),
        (["a", "-f", FILE, "-f"], ["a", "-f"]),
    ],
)
def test_spellings_of_the_connection_file(arguments, rest):
    """All spellings that ipykernel takes are taken."""
    assert split(arguments) == (Path(FILE), rest)


@pytest.mark.parametrize("arguments", [[], ["-f"], ["connection.json"], ["-F", FILE]])
def test_no_connection_file(arguments):
    """Without a connection file nobody could reach the kernel."""
    with pytest.raises(UsageError):
        split(arguments)
