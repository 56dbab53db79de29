"""What ipykernel is told by its profile, where a whole kernel would show it only now and then."""

import subprocess
import sys
from pathlib import Path

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
