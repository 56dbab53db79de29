"""All message types pass the wall unchanged."""

import base64
import json
import queue
import threading

import pytest
import zmq

from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel
from tests.conformance.kernel import KERNEL_ARGV, PATIENCE, next_of


def test_globals_persist(kernel):
    """What one cell defines the next one sees."""
    kernel.run("a = 20")
    assert kernel.value("a + 22") == "42"


def test_both_streams(kernel):
    """stdout and stderr arrive apart."""
    ran = kernel.run("import sys; print('out'); print('err', file=sys.stderr)")
    assert (ran.text(), ran.text("stderr")) == ("out\n", "err\n")


def test_what_subprocesses_write_arrives(kernel):
    """Output at the level of descriptors is output too."""
    assert "from below" in kernel.run("import subprocess; subprocess.run(['echo', 'from below'])").text()


def test_results_and_errors(kernel):
    """A result has its count, an error its traceback."""
    ran = kernel.run("6 * 7")
    assert ran.of("execute_result")[0]["content"]["data"]["text/plain"] == "42"
    ran = kernel.run("1/0")
    assert ran.status == "error"
    assert ran.of("error")[0]["content"]["ename"] == "ZeroDivisionError"


COUNTED = """
formatter = get_ipython().InteractiveTB
format_traceback, formatted = formatter.structured_traceback, []
def counted(*arguments, **options):
    formatted.append(format_traceback(*arguments, **options))
    return formatted[-1]
formatter.structured_traceback = counted
"""


def test_an_error_is_formatted_once(kernel):
    """IPython keeps a cell's error as it was shown; formatting is most of an interrupt's time."""
    kernel.run(COUNTED)
    ran = kernel.run("1/0")
    assert kernel.value("len(formatted)") == "1"
    assert ran.of("error")[0]["content"]["traceback"] == ran.reply["content"]["traceback"]
    kept = "[each['traceback'] for each in get_ipython().history_manager.exceptions.values()][-1]"
    assert kernel.value(f"{kept} == formatted[0]") == "True"
    kernel.run("formatter.structured_traceback = format_traceback")


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
BUNDLES = {
    "image/png": PNG,
    "text/html": "<b>bold</b>",
    "text/latex": "$x^2$",
    "text/markdown": "# title",
    "application/json": {"a": [1, None, {"b": "é"}]},
    "application/papermill.record+json": {"name": "loss", "value": 0.5},
}


@pytest.mark.parametrize("mime", BUNDLES)
def test_rich_output(kernel, mime):
    """What describes arrives as it was displayed."""
    ran = kernel.run(
        f"from IPython.display import display; display({{ {mime!r}: {BUNDLES[mime]!r} }}, raw=True)"
    )
    assert ran.of("display_data")[0]["content"]["data"] == {mime: BUNDLES[mime]}


ACTING = {
    "text/html": "<script>1</script>",
    "application/javascript": "alert(1)",
    "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    "application/vnd.vega.v5+json": {"$schema": "https://vega.github.io/schema/vega/v5.json", "marks": []},
    "application/vnd.unknown+json": {},
}


def test_rich_output_that_acts(kernel, start):
    """It arrives as it was displayed where the policy trusts it; else none of it does."""
    for mode, each in {"isolate": kernel, "trust": start(Policy(html="trust"))}.items():
        assert each.sandbox.policy.html == mode
        ran = each.run(f"for mime, data in {ACTING!r}.items(): display({{mime: data}}, raw=True)")
        shown = [message["content"]["data"] for message in ran.of("display_data")]
        assert len(shown) == len(ACTING)
        same = [{mime: data} == bundle for (mime, data), bundle in zip(ACTING.items(), shown, strict=True)]
        assert all(same) if mode == "trust" else not any(same)


def test_updates_and_clearing(kernel):
    """update_display_data carries its display_id, clear_output its wait."""
    ran = kernel.run(
        "from IPython.display import display, clear_output\n"
        "handle = display('a', display_id='here'); handle.update('b'); clear_output(wait=True)"
    )
    update = ran.of("update_display_data")[0]["content"]
    assert (update["transient"]["display_id"], update["data"]["text/plain"]) == ("here", "'b'")
    assert ran.of("clear_output")[0]["content"] == {"wait": True}


@pytest.mark.parametrize("ask", ["input('name? ')", "__import__('getpass').getpass('name? ')"])
def test_questions(kernel, ask):
    """input() and getpass get the client's answer."""
    msg_id = kernel.client.execute(f"answer = {ask}", allow_stdin=True)
    question = kernel.client.get_stdin_msg(timeout=PATIENCE)
    assert question["content"] == {"prompt": "name? ", "password": "getpass" in ask}
    kernel.client.input("Ada")
    assert kernel.collect(msg_id).status == "ok"
    assert kernel.value("answer") == "Ada"


def test_completion_inspection_history(kernel):
    """The requests of an editor are answered."""
    # Jedi looks for seconds (on gVisor for ten) through the standard library, and sends the same message:
    # the peers' suites complete with it.
    kernel.run("%config Completer.use_jedi = False\ntelescope = 1", store_history=True)
    request = kernel.client.complete("tele", 4)
    assert "telescope" in next_of(kernel.client.get_shell_msg, request, PATIENCE)["content"]["matches"]
    request = kernel.client.inspect("telescope", 4)
    assert next_of(kernel.client.get_shell_msg, request, PATIENCE)["content"]["found"]
    request = kernel.client.history(hist_access_type="tail", n=5)
    assert "telescope" in json.dumps(next_of(kernel.client.get_shell_msg, request, PATIENCE)["content"])
    request = kernel.client.is_complete("for i in x:")
    assert next_of(kernel.client.get_shell_msg, request, PATIENCE)["content"]["status"] == "incomplete"


def test_comms_both_ways_with_buffers(kernel):
    """A comm opened by the client echoes data and binary buffers."""
    kernel.run(
        "def opened(comm, message):\n"
        "    @comm.on_msg\n"
        "    def echo(m):\n"
        "        comm.send({'back': m['content']['data']}, buffers=[bytes(b)[::-1] for b in m['buffers']])\n"
        "get_ipython().kernel.comm_manager.register_target('echo', opened)"
    )
    session, channel = kernel.client.session, kernel.client.shell_channel
    session.send(channel.socket, "comm_open", {"comm_id": "c1", "target_name": "echo", "data": {}})
    sent = session.send(
        channel.socket,
        "comm_msg",
        {"comm_id": "c1", "data": {"n": 1}},
        buffers=[b"\x00\x01\xff", b"x" * 100_000],
    )
    while True:
        message = next_of(kernel.client.get_iopub_msg, sent["header"]["msg_id"], PATIENCE)
        if message["msg_type"] == "comm_msg":
            break
    assert message["content"]["data"] == {"back": {"n": 1}}
    assert [bytes(buffer) for buffer in message["buffers"]] == [b"\xff\x01\x00", b"x" * 100_000]


def test_widgets(kernel):
    """A slider lives on both sides: Python's change is published, the client's reaches Python."""
    ran = kernel.run("import ipywidgets; slider = ipywidgets.IntSlider(value=3); display(slider)")
    assert ran.status == "ok", ran.reply["content"]
    models = [m["content"] for m in ran.of("comm_open")]
    slider = next(m for m in models if m["data"]["state"]["_model_name"] == "IntSliderModel")
    ran = kernel.run("slider.value = 5")
    assert any(m["content"]["data"].get("state", {}).get("value") == 5 for m in ran.of("comm_msg"))
    kernel.client.session.send(
        kernel.client.shell_channel.socket,
        "comm_msg",
        {
            "comm_id": slider["comm_id"],
            "data": {"method": "update", "state": {"value": 9}, "buffer_paths": []},
        },
    )
    assert kernel.value("slider.value") == "9"


def test_debugger(kernel):
    """debug_request over control: attach, set a breakpoint, stop at it, look, go on."""
    sequence = iter(range(1, 100))

    def debug(command, **arguments):
        content = {"type": "request", "seq": next(sequence), "command": command, "arguments": arguments}
        return kernel.request("control", "debug_request", content)["content"]

    assert debug("initialize", clientID="test", adapterID="", pathFormat="path")["success"]
    assert debug("attach")["success"]
    code = "x = 1\ny = x + 1\nz = y + 1\n"
    path = debug("dumpCell", code=code)["body"]["sourcePath"]
    assert debug("setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}])["success"]
    assert debug("configurationDone")["success"]
    msg_id = kernel.client.execute(code)
    while True:
        event = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if event["msg_type"] == "debug_event" and event["content"]["event"] == "stopped":
            break
    thread = event["content"]["body"]["threadId"]
    frame = debug("stackTrace", threadId=thread)["body"]["stackFrames"][0]
    assert frame["line"] == 2
    assert debug("continue", threadId=thread)["success"]
    assert kernel.collect(msg_id, until_idle=False).status == "ok"
    assert debug("disconnect", restart=False, terminateDebuggee=False)["success"]


def test_subshells(kernel):
    """A subshell answers while the main shell is busy (ipykernel 7)."""
    subshell = kernel.request("control", "create_subshell_request")["content"]["subshell_id"]
    busy = kernel.client.execute("import threading; gate = threading.Event(); print('closed'); gate.wait(60)")
    while kernel.client.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "stream":
        pass
    message = kernel.client.session.msg("execute_request", {"code": "gate.set()", "silent": False})
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    assert kernel.collect(busy).status == "ok"
    kernel.drain()
    assert (
        kernel.request("control", "delete_subshell_request", {"subshell_id": subshell})["content"]["status"]
        == "ok"
    )


def test_usage(kernel):
    """usage_request is answered from inside."""
    assert "kernel_cpu" in kernel.request("control", "usage_request")["content"]


def test_kernel_info(kernel):
    """kernel_info names the language, on shell and on control."""
    for channel in ("shell", "control"):
        reply = kernel.request(channel, "kernel_info_request")["content"]
        assert reply["language_info"]["name"] == "python"


def test_each_subscriber_is_welcomed(kernel):
    """A new subscriber to iopub gets iopub_welcome."""
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(kernel.front.address(Channel.IOPUB))
    kinds = []
    while "iopub_welcome" not in kinds:  # what was on its way to others may come before
        assert socket.poll(PATIENCE * 1000), kinds
        kinds.append(json.loads(socket.recv_multipart()[-4])["msg_type"])
    context.destroy(linger=0)


def test_the_heart_beats(kernel):
    """The heartbeat comes back from the kernel itself."""
    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.connect(kernel.front.address(Channel.HEARTBEAT))
    for beat in (b"one", b"two"):
        socket.send(beat)
        assert socket.poll(PATIENCE * 1000)
        assert socket.recv() == beat
    context.destroy(linger=0)


def test_several_clients(kernel):
    """Each client gets its own replies, all see all output, and input() asks the one who ran it."""
    other = kernel.connect()
    first, second = kernel.client.execute("print('first')"), other.execute("print('second')")
    assert kernel.collect(first).text() == "first\n"
    assert kernel.collect(second, client=other).text() == "second\n"
    asked = other.execute("input('?')", allow_stdin=True)
    assert other.get_stdin_msg(timeout=PATIENCE)["content"]["prompt"] == "?"
    with pytest.raises(queue.Empty):
        kernel.client.get_stdin_msg(timeout=0)
    other.input("x")
    assert kernel.collect(asked, client=other).status == "ok"


def test_100_mb_out_and_in(start):
    """A message of 100 MB passes either way, unharmed."""
    kernel = start(Policy(memory=3 << 30))
    size = 100_000_000
    ran = kernel.run(f"display({{'text/plain': 'é' + 'x' * {size}}}, raw=True)", timeout=120)
    text = ran.of("display_data")[0]["content"]["data"]["text/plain"]
    assert (len(text), text[0], text[-1]) == (size + 1, "é", "x")
    kernel.run(
        "import hashlib\n"
        "def opened(comm, message):\n"
        "    print(len(message['buffers'][0]), hashlib.sha256(message['buffers'][0]).hexdigest())\n"
        "get_ipython().kernel.comm_manager.register_target('big', opened)"
    )
    payload = b"0123456789" * (size // 10)
    sent = kernel.client.session.send(
        kernel.client.shell_channel.socket,
        "comm_open",
        {"comm_id": "b", "target_name": "big", "data": {}},
        buffers=[payload],
    )
    import hashlib

    while True:
        message = next_of(kernel.client.get_iopub_msg, sent["header"]["msg_id"], 120)
        if message["msg_type"] == "stream":
            break
    assert message["content"]["text"] == f"{size} {hashlib.sha256(payload).hexdigest()}\n"


def test_nothing_is_lost_below_the_budget(kernel):
    """Three times what a queue of ZeroMQ's holds by default arrives, each message once and in order."""
    count = 3_000
    ran = kernel.run(
        f"for number in range({count}): display({{'text/plain': str(number)}}, raw=True)", timeout=120
    )
    assert [m["content"]["data"]["text/plain"] for m in ran.of("display_data")] == [
        str(n) for n in range(count)
    ]


def test_control_answers_while_output_floods(start):
    """A request on control does not wait behind the output of a busy cell."""
    kernel = start(Policy(output=1 << 30))
    kernel.client.execute("while True: display({'text/plain': 'x' * 100_000}, raw=True)")
    seen = threading.Event()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            try:
                if kernel.client.get_iopub_msg(timeout=0.1)["msg_type"] == "display_data":
                    seen.set()
            except queue.Empty:
                pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert seen.wait(PATIENCE)
        assert kernel.request("control", "kernel_info_request")["content"]["status"] == "ok"
    finally:
        stop.set()
        reader.join()


def test_output_over_the_budget_ends_with_a_notice(start):
    """The cell runs to its end, its output stops at the budget, and a notice says why."""
    kernel = start(Policy(output=1_000_000))
    ran = kernel.run("for _ in range(300): print('x' * 10_000, flush=True)\nprint('end')", timeout=60)
    assert ran.status == "ok"
    assert len(ran.text()) <= 1_000_000
    assert "1000 kB" in ran.text("stderr") or "'output'" in ran.text("stderr")
    assert kernel.value("'next cell'") == "next cell"


def test_printing_without_end_is_survived(start):
    """A cell that prints much faster than anybody reads waits, instead of filling its memory."""
    kernel = start(Policy(memory=200 << 20, output=1_000_000))
    ran = kernel.run("for _ in range(2_500): print('x' * 100_000)\nprint('end')", timeout=90)  # 250 MB
    assert ran.status == "ok", ran.reply["content"]
    assert kernel.value("'alive'") == "alive"


def test_a_kernel_that_prints_as_it_starts_is_not_silenced(start):
    """What is published before the first cell does not count against what may wait."""
    noise = "--IPKernelApp.exec_lines=for number in range(500): print(number, flush=True)"
    kernel = start(argv=(*KERNEL_ARGV, noise))
    assert kernel.value("number") == "499"


def test_the_profile_leaves_no_name_behind(start):
    """What ipykernel is told before the first cell is not seen by the user's code."""
    kernel = start()
    names = kernel.value("sorted(name for name in globals() if not name.startswith('_'))")
    assert names == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']"
    assert kernel.value("In[1:2]").startswith("[")
