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
given = {"get_config": Config, "load_subconfig": lambda name: None, "__name__": "profile"}
exec(compile(open(source).read(), source, "exec"), given)
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

AS_PROFILE = """
import sys
from types import SimpleNamespace
from traitlets.config import Config

profile = {"get_config": Config, "load_subconfig": lambda name: None, "__name__": "profile"}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), profile)
"""

STREAM = f"""
{AS_PROFILE}
import os, threading
import zmq
from ipykernel.iostream import IOPubThread
from jupyter_client.session import Session

context, session = zmq.Context(), Session(key=b"")
publisher, reader = context.socket(zmq.XPUB), context.socket(zmq.SUB)
publisher.bind("inproc://published")
reader.subscribe(b"")
reader.connect("inproc://published")
reader.rcvtimeo = 60_000
publisher.recv()
thread = IOPubThread(publisher, session=session)
thread.start()
out = profile["WaitingStream"](session, thread, "stdout", watchfd=False)

def heard():
    message = session.deserialize(session.feed_identities(reader.recv_multipart())[1])
    return message["parent_header"].get("msg_id"), message["content"].get("text")
"""

PRINT = f"""
{STREAM}
def say(parent, *texts):
    out.set_parent({{"header": {{"msg_id": parent}}}})
    for text in texts:
        out.write(text)

say("1", "a", "b", "c")
out.flush()
assert reader.poll(0)  # `flush` returns when it is sent
assert heard() == ("1", "abc")
say("1", "d", "e")
assert heard() == ("1", "de")  # in time, without a flush
say("1", "f", "g")
say("2", "h", "i")
say("1", "j", "k")
session.send(thread, "comm_msg", {{"text": "after"}})  # scheduled before the next flush is
out.flush()
assert heard() == (None, "after")
assert [heard(), heard()] == [("1", "fgjk"), ("2", "hi")]
for count in range(1000):
    out.write("l")
    out.write(str(count))
    out.flush()
assert "".join(heard()[1] for _ in range(1000)) == "".join(f"l{{count}}" for count in range(1000))
writers = [threading.Thread(target=lambda: [out.write("m") for _ in range(20_000)]) for _ in range(4)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
out.flush()
came = 0
while came < 80_000:
    came += len(heard()[1])
assert came == 80_000
try:
    out.write(b"no text")
except TypeError:
    out.write("n")
out.flush()
assert heard()[1] == "n"
os._exit(0)
"""

STRIKE = f"""
{STREAM}
import dis, itertools, time
from ipykernel import iostream

STRUCK = (sys.argv[1], iostream.__file__, threading.__file__)
HEEDING = {{code for name, code in dis.opmap.items() if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))}}
START = dis.opmap["RESUME"]

def strikes(act):
    '''Act until Python could raise no KeyboardInterrupt at one more place; yield after each.'''
    for number in itertools.count(1):
        left, before = number, {{}}

        def trace(frame, event, _):
            nonlocal left
            if frame.f_code.co_filename not in STRUCK:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":  # about to be executed; Python heeds signals at the end of some
                left -= before.get(frame, START) in HEEDING
                before[frame] = frame.f_code.co_code[frame.f_lasti]
                if not left:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            act()
        except KeyboardInterrupt:
            yield number
        else:
            return
        finally:
            sys.settrace(None)

def act():
    out.write("struck")
    out.flush()
    session.send(thread, "comm_msg", {{}})

out.flush_interval = 0.001
reader.rcvtimeo = 20_000
for number in strikes(act):
    assert thread.thread.is_alive(), number
    out.write(".")
    while not (heard()[1] or "").endswith("."):  # in time, without a flush
        pass
assert number > 50

begun, waits, end, nap = threading.Event(), threading.Event(), threading.Event(), time.sleep
profile["time"] = SimpleNamespace(sleep=lambda seconds: waits.set() or nap(seconds))
thread.schedule(lambda: begun.set() or end.wait())
begun.wait()
sent = []
sender = threading.Thread(target=lambda: [sent.append(thread.schedule(int)) for _ in range(1000)])
sender.start()
waits.wait(20)
waiting = len(sent)
end.set()
sender.join()
assert waiting <= profile["MAX_QUEUED"], waiting
os._exit(0)
"""

PACK = f"""
{AS_PROFILE}
import json, datetime, warnings
from jupyter_client.session import Session, json_packer

warnings.simplefilter("ignore")
session = Session(key=b"")
profile["write_long_texts_fast"](session)
LONG = "x\\n\\"\\0é" * (profile["LONG"] // 4)
shapes = [
    {{"name": "stdout", "text": LONG}},
    {{"data": {{"text/html": LONG, "text/plain": "short"}}, "metadata": {{"a": [1, 1.5, None, True]}}}},
]
for shape in shapes:
    assert session.pack is not json_packer
    assert json.loads(session.pack(shape)) == shape
    assert session.pack(shape) != json_packer(shape)  # without its spaces: it is the other writer's
strange = [float("nan"), float("inf"), b"bytes", datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    "\\ud800", {{1: 2}}, (1, 2), list(range(5000)), 1 << 200, [[LONG[:9]] * 40] * 40]
for value in strange:
    for shape in ({{"text": LONG, "value": value}}, {{"data": {{"text/plain": LONG, "b": value}}}}):
        try:
            wanted = json_packer(shape)
        except Exception as error:
            wanted = type(error)
        try:
            got = session.pack(shape)
        except Exception as error:
            got = type(error)
        assert got == wanted or json.loads(got) == json.loads(wanted), value
other = SimpleNamespace(pack=len)
profile["write_long_texts_fast"](other)
assert other.pack is len
sys.modules["msgspec.json"] = None  # as where it is not installed
profile["_fast_writer"].cache_clear()
assert session.pack(shapes[0]) == json_packer(shapes[0])
"""


def test_a_reader_that_connects_late_and_does_not_read_is_waited_for(tmp_path: Path) -> None:
    """The publisher's mark holds for it, too; with the usual one it held 1000 messages, or lost some."""
    source = Path(profile.__file__).with_name("output.py")
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


def test_a_stream_loses_nothing_and_keeps_its_order(tmp_path: Path) -> None:
    """It takes short cuts, in each of which a text could go to another's parent, or nowhere."""
    _run_with_profile(PRINT, "output.py", tmp_path)


def test_an_interrupt_leaves_a_stream_as_it_was(tmp_path: Path) -> None:
    """Wherever it strikes: what is written next comes in time, by the publisher, and is waited for."""
    _run_with_profile(STRIKE, "output.py", tmp_path)


def test_a_long_text_is_written_as_jupyter_would(tmp_path: Path) -> None:
    """Its own writer is far faster; what the two would write differently is left to Jupyter's."""
    _run_with_profile(PACK, "ipython_kernel_config.py", tmp_path)


def _run_with_profile(program: str, name: str, directory: Path) -> None:
    source = Path(profile.__file__).with_name(name)
    command = [sys.executable, "-c", program, source]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=directory, timeout=100)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
