"""What ipykernel is told by its profile, where a whole kernel would show it only now and then."""

import json
import os
import subprocess
import sys
from pathlib import Path

import zmq
from jupyter_client.session import Session

from sandbox_kernel.guest import profile

PUBLISH = """
import sys
import zmq
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

source, prefix = sys.argv[1:]
exec(compile(open(source).read(), source, "exec"), {"get_config": Config, "__name__": "profile"})
app = IPKernelApp(transport="ipc", ip=prefix)
context = zmq.Context()
publisher, reader = context.socket(zmq.XPUB), context.socket(zmq.SUB)
app._bind_socket(publisher, 2)
reader.rcvhwm = 1
reader.subscribe(b"")
reader.connect(f"ipc://{prefix}-2")
assert publisher.recv() == b"\\x01"
sent = 0
while sent < 2_000 and publisher.poll(0, zmq.POLLOUT):
    try:
        publisher.send(bytes(10_000), zmq.NOBLOCK)
    except zmq.Again:
        break
    sent += 1
print(sent)
"""


def test_a_reader_that_connects_late_and_does_not_read_is_waited_for(tmp_path: Path) -> None:
    """The publisher's mark holds for it, too; with the usual one it held 1000 messages, or lost some."""
    source = Path(profile.__file__).with_name("ipython_kernel_config.py")
    command = [sys.executable, "-c", PUBLISH, source, tmp_path / "k"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert int(done.stdout) < 500  # a socket's buffers hold some of them


def test_who_subscribes_late_hears_that_the_kernel_has_begun(tmp_path: Path) -> None:
    """It is said once; without another word a guest that comes later could only wait for a second."""
    profile.write_profile(str(tmp_path / "ipython"))
    info = {"transport": "ipc", "ip": str(tmp_path / "k"), "key": "", "signature_scheme": "hmac-sha256"}
    ports = dict(zip(("shell", "iopub", "stdin", "control", "hb"), range(1, 6), strict=True))
    (tmp_path / "kernel.json").write_text(json.dumps({**info, **{f"{n}_port": p for n, p in ports.items()}}))
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", tmp_path / "kernel.json"]
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "JPY_PARENT_PID": "1"}
    session = Session(key=b"")
    with subprocess.Popen(command, env=environment) as kernel, zmq.Context() as context:
        try:
            with context.socket(zmq.DEALER) as shell, context.socket(zmq.SUB) as subscriber:
                shell.rcvtimeo = subscriber.rcvtimeo = 60_000
                shell.connect(f"ipc://{tmp_path}/k-1")
                session.send(shell, "kernel_info_request", {})
                shell.recv_multipart()  # from here on it is late
                subscriber.subscribe(b"")
                subscriber.connect(f"ipc://{tmp_path}/k-2")
                while b'"starting"' not in subscriber.recv_multipart()[-1]:
                    pass
        finally:
            kernel.kill()
