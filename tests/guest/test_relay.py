"""What clients and kernel say to each other passes, all of it, unchanged and in time."""

import signal
import time

from sandbox_kernel.wire import Channel, Message, Oversized, Signal
from tests.guest.driver import eventually


def test_a_cell_runs(host):
    """Output, result and status of a cell come back, in the order of the kernel."""
    types = [m["msg_type"] for _, _, m in host.conversation(host.execute("print('a'); 6 * 7"))]
    iopub = [each for each in types if each != "execute_reply"]
    assert iopub == ["status", "execute_input", "stream", "execute_result", "status"]


def test_replies_find_their_client(host):
    """Routing identities, several of them too, survive the way there and back."""
    for ident in (b"one", b"\x00\xff two", b"x" * 255):
        request = host.execute("1", ident=ident)
        idents = [i for channel, i, _ in host.conversation(request) if channel is Channel.SHELL]
        assert idents == [[ident]]


def test_questions_find_their_client(host):
    """input() asks the client that runs the cell, and only its answer is taken."""
    request = host.execute("print(input('name? '))", ident=b"asker", allow_stdin=True)
    printed = ""
    for channel, idents, message in host.conversation(request):
        if channel is Channel.STDIN:
            assert idents == [b"asker"]
            assert message["content"] == {"prompt": "name? ", "password": False}
            host.ask("input_reply", {"value": "Ada"}, channel=Channel.STDIN, ident=b"asker")
        elif message["msg_type"] == "stream":
            printed += message["content"]["text"]
    assert printed == "Ada\n"


def test_heartbeats_are_echoed(host):
    """What is sent on the heartbeat channel comes back as it was."""
    host.put(Channel.HEARTBEAT, [b"client", b"", b"ping"])
    beat = host.until(lambda heard: isinstance(heard, Message) and heard.channel is Channel.HEARTBEAT)
    assert beat.parts == (b"client", b"", b"ping")


def test_control_answers_while_a_cell_is_busy(host):
    """Requests on the control channel do not wait for the cell."""
    request, _ = host.print_of("import time\nprint('busy', flush=True)\ntime.sleep(1)")
    asked = time.monotonic()
    host.reply(host.ask("kernel_info_request", {}, channel=Channel.CONTROL))
    assert time.monotonic() - asked < 0.9
    host.reply(request)


ECHO = """
from ipykernel.comm import Comm
def target(comm, opening):
    @comm.on_msg
    def echo(message):
        comm.send({"length": sum(map(len, message["buffers"]))}, buffers=message["buffers"])
get_ipython().kernel.comm_manager.register_target("echo", target)
"""


def echoed(host, buffers):
    host.run(ECHO)
    host.ask("comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
    host.ask("comm_msg", {"comm_id": "c", "data": {}}, buffers=buffers)
    message = host.until(lambda heard: isinstance(heard, Message) and heard.parts[0] == b"comm-c")
    host.ask("comm_close", {"comm_id": "c", "data": {}})
    return host.parse(message)[1]


def test_binary_buffers_pass_both_ways(host):
    """Widgets' buffers, empty ones too, come back byte for byte."""
    buffers = (b"", bytes(range(256)) * 1000, b"x", b"")
    message = echoed(host, buffers)
    assert tuple(map(bytes, message["buffers"])) == buffers
    assert message["content"]["data"] == {"length": 256_001}


def test_hundred_megabytes_pass_both_ways(host):
    """Size is the host's business; here it only takes its time."""
    big = bytes(range(256)) * (100_000_000 // 256)
    started = time.monotonic()
    [back] = echoed(host, (big,))["buffers"]
    print(f"100 MB there and back: {time.monotonic() - started:.2f} s")
    assert bytes(back) == big


def test_nothing_is_lost_in_a_burst(host):
    """More messages than any default high-water mark allows all arrive, in order."""
    count = 20_000
    code = f"""
kernel = get_ipython().kernel
for number in range({count}):
    kernel.send_response(kernel.iopub_socket, "display_data", {{"data": {{}}, "metadata": {{"n": number}}}})
"""
    numbers = [
        message["content"]["metadata"]["n"]
        for _, _, message in host.conversation(host.execute(code))
        if message["msg_type"] == "display_data"
    ]
    assert numbers == list(range(count))


def test_a_cell_waits_for_a_host_that_does_not_read(own, directory):
    """Nothing is dropped and nothing piles up: the cell stands still until somebody reads."""
    count = 5000  # of 10 kB each: four times what all buffers on the way hold
    request = own.execute(f"""
import pathlib
for number in range({count}):
    display({{"text/plain": "x" * 10_000}}, raw=True)
    if number == 500: pathlib.Path("begun").touch()
pathlib.Path("shown").touch()
""")
    eventually((directory / "begun").exists)
    assert not (directory / "shown").exists()
    types = [message["msg_type"] for _, _, message in own.conversation(request)]
    assert types.count("display_data") == count


def test_a_kernel_that_does_not_read_holds_nobody_up(own):
    """Requests pile up for a kernel that is stopped, and the guest still serves the host."""
    own.tell(Signal(signal.SIGSTOP))
    for _ in range(5000):
        own.ask("comm_info_request", {"padding": "x" * 1000})
    own.tell(Signal(signal.SIGCONT))
    own.until(lambda heard: isinstance(heard, Message) and heard.channel is Channel.SHELL)


def test_too_many_parts_are_only_announced(host):
    """A message in thousands of pieces reaches the host as word of it; the next one passes."""
    code = "get_ipython().kernel.iopub_socket.send_multipart([b'x'] * 5000)"
    host.execute(code)
    assert host.until(Oversized) == Oversized(Channel.IOPUB, 5000, 5000)
    assert host.run("print('next')") == "next\n"


def letters(heard):
    """Return how much a message has of what the cell prints."""
    output = isinstance(heard, Message) and b"stream" in heard.parts[0]
    return sum(each.count(b"x") for each in heard.parts) if output else 0


def test_control_overtakes_what_the_host_has_not_read(own):
    """With 60 MB of output waiting, a reply does not wait for most of it."""
    code = """
import pathlib, sys
def noting(answer):
    async def answer_and_note(*request):
        await answer(*request)
        pathlib.Path("answered").touch()
    return answer_and_note
handlers = get_ipython().kernel.control_handlers
handlers["kernel_info_request"] = noting(handlers["kernel_info_request"])
for _ in range(60): print("x" * 1_000_000)
sys.stdout.flush()
pathlib.Path("printed").touch()
"""
    own.execute(code)
    eventually((own.directory / "printed").exists)  # and all the while nobody reads
    own.ask("kernel_info_request", {}, channel=Channel.CONTROL)
    eventually((own.directory / "answered").exists)  # else it is the kernel that is late
    read_so_far = own.received
    text = 0
    while not (isinstance(heard := own.hear(), Message) and heard.channel is Channel.CONTROL):
        text += letters(heard)
    # A pipe, a chunk, this host's large reads, and what a busy machine lets pass until the guest turns:
    # two megabytes on an idle machine. Without priorities it is all sixty.
    assert own.received - read_so_far < 45_000_000
    while text < 60_000_000:
        text += letters(own.hear())


def test_the_kernel_s_greeting_stays_inside(unstarted):
    """The guest's own subscription is greeted; no client asked for that."""
    unstarted.start()
    types = []
    while "starting" not in types:
        heard = unstarted.hear()
        if isinstance(heard, Message):
            message = unstarted.parse(heard)[1]
            types.append(message["content"].get("execution_state", message["msg_type"]))
    request = unstarted.execute("1")
    types += [message["msg_type"] for _, _, message in unstarted.conversation(request)]
    assert "iopub_welcome" not in types


def test_no_word_is_lost_where_two_threads_speak(host):
    """Control and shell have threads of their own; each request is called idle, whoever else speaks."""
    for _ in range(100):
        asked = {
            host.ask("kernel_info_request", {}),
            host.ask("kernel_info_request", {}, channel=Channel.CONTROL),
            host.execute("1"),
            host.ask("comm_info_request", {}),
        }
        while asked:
            heard = host.until(lambda heard: isinstance(heard, Message) and heard.channel is Channel.IOPUB)
            _, message = host.parse(heard)
            if message["content"].get("execution_state") == "idle":
                asked.discard(message["parent_header"]["msg_id"])
