"""From the first word to a running kernel, or to a clear reason why there is none."""

import json
import stat
import sys

import pytest

from sandbox_kernel import __version__
from sandbox_kernel.wire import (
    WIRE_VERSION,
    Channel,
    Hello,
    KernelExit,
    Log,
    Message,
    Ready,
    Signal,
    Start,
    encode,
)


def test_it_says_hello_at_once(unstarted):
    """Before it is told anything the guest says who it is and what it sees of its limits."""
    hello = unstarted.hear()
    assert isinstance(hello, Hello)
    assert (hello.wire_version, hello.guest_version) == (WIRE_VERSION, __version__)
    assert hello.python == ".".join(map(str, sys.version_info[:3]))
    assert hello.limits["files"] > 0
    assert hello.limits["cpus"] > 0


def test_the_connection_file_is_private_and_complete(own):
    """ipykernel reads it and rewrites nothing; nobody else may read the key."""
    path = own.directory / "kernel.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    info = json.loads(path.read_text())
    assert info == {
        "transport": "ipc",
        "ip": f"{own.directory}/k",
        "shell_port": 1,
        "iopub_port": 2,
        "stdin_port": 3,
        "control_port": 4,
        "hb_port": 5,
        "key": "inner key",
        "signature_scheme": "hmac-sha256",
    }


def test_secrets_are_private_files(unstarted):
    """Byte for byte, for the kernel's user alone, and to be read only."""
    unstarted.start(secrets={"TOKEN": "caf\udce9\n"})
    unstarted.until(Ready)
    path = unstarted.directory / "secrets" / "TOKEN"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert path.read_bytes() == b"caf\xe9\n"


def test_requests_that_came_before_the_kernel_are_answered(unstarted):
    """The host need not wait for Ready: what it sends early is kept."""
    unstarted.start()
    request = unstarted.execute("print('early')")
    assert unstarted.answer(request)[1] == "early\n"


def test_the_first_output_is_not_missed(unstarted):
    """The kernel's announcement that it starts is the first thing that clients may see."""
    unstarted.start()
    first = unstarted.until(Message)
    assert first.channel is Channel.IOPUB
    assert unstarted.parse(first)[1]["content"] == {"execution_state": "starting"}


SILENT = """
import json, sys, zmq
info = json.load(open(sys.argv[1]))
sockets = []
for name in ("shell", "stdin", "control", "hb"):
    sockets.append(zmq.Context.instance().socket(zmq.ROUTER))
    sockets[-1].bind(f"ipc://{info['ip']}-{info[name + '_port']}")
iopub = zmq.Context.instance().socket(zmq.PUB)
iopub.bind(f"ipc://{info['ip']}-{info['iopub_port']}")
sockets[0].recv_multipart()
"""


def test_a_silent_kernel_is_ready_too(unstarted):
    """A kernel that announces nothing is ready some time after it accepted connections."""
    unstarted.start(sys.executable, "-c", SILENT, "{connection_file}")
    unstarted.until(Ready)


def test_a_command_that_does_not_exist(unstarted):
    """The log names it and the exit code is a shell's for this."""
    unstarted.start("/no/such/python", "{connection_file}")
    log, how = unstarted.log_until_exit()
    assert log == (
        "The kernel's command cannot be started: "
        "[Errno 2] No such file or directory: '/no/such/python'.\n"
    )  # fmt: skip
    assert how == KernelExit(127, 0, 0.0)
    assert unstarted.end() == 0


def test_a_command_that_may_not_be_executed(unstarted):
    """Likewise."""
    unstarted.start("/etc/passwd")
    log, how = unstarted.log_until_exit()
    assert "Permission denied: '/etc/passwd'" in log
    assert how.returncode == 127


def test_a_directory_that_does_not_exist(unstarted):
    """The log names the directory, not the command."""
    unstarted.start(cwd="/no/such/directory")
    log, how = unstarted.log_until_exit()
    assert "'/no/such/directory'" in log
    assert how.returncode == 127


def test_a_directory_too_long_for_sockets(unstarted, directory):
    """Said in words, instead of by a kernel that never answers."""
    long = directory / ("x" * 100)
    long.mkdir()
    unstarted.start(runtime_dir=str(long))
    log, how = unstarted.log_until_exit()
    assert "too long for a socket" in log
    assert how.returncode == 127


def test_a_connection_file_that_is_there_already_is_not_followed(unstarted, directory):
    """A link that somebody prepared is refused: the key must not go where it points."""
    target = directory / "target"
    (directory / "kernel.json").symlink_to(target)
    unstarted.start()
    log, how = unstarted.log_until_exit()
    assert "File exists" in log
    assert how.returncode == 127
    assert not target.exists()


def test_a_kernel_that_fails_to_import(unstarted):
    """Its own traceback is in the log, before the report of its exit."""
    unstarted.start(sys.executable, "-c", "import no_such_module", "{connection_file}")
    log, how = unstarted.log_until_exit()
    assert log.startswith("Traceback")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in log
    assert how.returncode == 1


def complaint(host):
    """The log, and the exit status, of a guest that gave up."""
    text = host.until(Log).text
    return text, host.end()


def test_another_version_is_refused(unstarted):
    """Neither side guesses what the other means."""
    unstarted.start(version=WIRE_VERSION + 1)
    versions = f"the host speaks version {WIRE_VERSION + 1}, this guest {WIRE_VERSION}"
    assert complaint(unstarted) == (f"The guest does not understand the host: {versions}.\n", 1)


def test_garbage_is_refused(unstarted):
    """Bytes that are no message end the guest with a reason."""
    unstarted.write(b"\xff" * 100)
    assert complaint(unstarted) == ("The guest does not understand the host: there is no channel 255.\n", 1)


def test_the_first_order_must_be_to_start(unstarted):
    """Nothing can be done to a kernel that there is not."""
    unstarted.tell(Signal(2))
    assert complaint(unstarted)[1] == 1


NO_ORDERS = {
    "a request": (b"x",),
    "an order on the wrong channel": encode(
        Start(WIRE_VERSION, ("true",), {}, "/", "/nowhere", "", 64, None)
    ),
}


@pytest.mark.parametrize("parts", NO_ORDERS.values(), ids=NO_ORDERS)
def test_a_request_is_no_order(unstarted, parts):
    """Nor can it be asked anything."""
    unstarted.put(Channel.SHELL, parts)
    assert complaint(unstarted)[1] == 1


@pytest.mark.parametrize("channel", [Channel.IOPUB, Channel.SUPERVISOR])
def test_nonsense_to_a_running_kernel_is_refused(own, channel):
    """The host does not publish, and what it orders must be an order."""
    own.put(channel, [b"{}"])
    assert complaint(own)[1] == 1


def test_a_second_start_is_refused(own):
    """One guest, one kernel."""
    own.start()
    assert "Start is nothing to tell a running kernel" in complaint(own)[0]


def test_a_guest_that_nobody_starts_ends_with_its_host(unstarted):
    """It waits for its order only as long as there is a host."""
    unstarted.until(Hello)
    unstarted.hang_up()
    assert unstarted.end() == 0
