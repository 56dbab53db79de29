"""A request is answered, and the kernel idle after it, wherever in ipykernel an interrupt strikes."""

import itertools
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox_kernel.wire import Channel, Message, Signal
from tests.guest.driver import Host

ARM = """
import signal, sys

OWN = ("ipykernel/kernelbase.py", "ipykernel/ipkernel.py", "profile_default/interrupts.py")
DISPATCHERS = ("dispatch_shell", "dispatch_holding")  # ipykernel's, and ours around it
struck = 0

def arm(number, times):
    '''Have SIGINT strike at that line of ipykernel's own code in the next request, and at the next lines.'''
    global struck
    print(struck)
    struck, line, request = 0, 0, None

    def trace(frame, event, _):
        nonlocal line, request
        global struck
        if frame.f_code.co_name in DISPATCHERS and request not in (frame, frame.f_back):
            if request is not None:
                sys.settrace(None)
                return None
            request = frame
        if request is None or not frame.f_code.co_filename.endswith(OWN):
            return None
        line += event == "line"
        if event == "line" and number <= line < number + times:
            struck += 1
            signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
"""


def strikes(
    host: Host, msg_type: str, content: dict[str, Any], first: int = 1, step: int = 3, times: int = 1
) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Yield reply and published types for each line of ipykernel's own at which a request is interrupted."""
    host.run(ARM)
    host.run(f"arm({first}, {times})")
    for number in itertools.count(first + step, step):
        reply, published = conversation(host, host.ask(msg_type, content))
        if host.run(f"arm({number}, {times})") == "0\n":
            host.reply(host.ask(msg_type, content))  # what is armed already, for a line that it does not have
            return
        yield reply, published


def conversation(host: Host, request: str) -> tuple[dict[str, Any], set[str]]:
    """Return the content of the one reply to a request, and the types of what was published for it."""
    messages = [message for _, _, message in host.conversation(request)]
    (reply,) = (message["content"] for message in messages if message["msg_type"].endswith("_reply"))
    return reply, {message["msg_type"] for message in messages}


def cell(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "silent": False, "allow_stdin": False, "stop_on_error": False, **more}


CELLS = {
    "a cell": cell("ran = 1"),
    "an asynchronous cell": cell("import asyncio\nawait asyncio.sleep(0)"),
    "expressions": cell("", silent=True, user_expressions={"one": "1"}),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_answered_wherever_an_interrupt_strikes(host, name):
    """With an error that is shown, or as if nothing had been: it came with the last steps."""
    outcomes = [
        (reply["status"], reply.get("ename"), "error" in published)
        for reply, published in strikes(host, "execute_request", CELLS[name], first=1 + [*CELLS].index(name))
    ]
    assert set(outcomes) == {("error", "KeyboardInterrupt", True), ("ok", None, False)}
    assert outcomes[-1][0] == "ok"


def test_many_interrupts_at_once(host):
    """Those that come while another is dealt with change nothing."""
    outcomes = strikes(host, "execute_request", CELLS["a cell"], step=11, times=30)
    assert {reply["status"] for reply, _ in outcomes} <= {"error", "ok"}


OTHERS = {
    "inspect_request": {"code": "arm", "cursor_pos": 3, "detail_level": 0},
    "is_complete_request": {"code": "1"},
    "kernel_info_request": {},
}


@pytest.mark.parametrize("msg_type", OTHERS)
def test_other_requests_are_answered_too(host, msg_type):
    """Their replies go the way of the cells': half of one would take the next with it."""
    statuses = {reply["status"] for reply, _ in strikes(host, msg_type, OTHERS[msg_type], step=13)}
    assert statuses & {"ok", "complete"}


def test_a_comm_s_message_leaves_the_kernel_idle(host):
    """Also if it is interrupted just before its handler, or just after, which used to end the kernel."""
    host.run(ARM)
    host.run("get_ipython().kernel.comm_manager.register_target('t', lambda comm, opened: None)")
    host.run("arm(1, 1)")
    struck, number = True, 1
    while struck:
        open_comm(host)
        number += 1
        struck = host.run(f"arm({number}, 1)") == "1\n"
    open_comm(host)  # what is armed already, for a line that it does not have
    assert number > 10


def open_comm(host: Host) -> None:
    host.until_idle(host.ask("comm_open", {"comm_id": "c", "target_name": "t", "data": {}}))


INTERRUPTING = """
import signal
shell = get_ipython()
ran, kernel, payloads = [], shell.kernel, shell.payload_manager

def interrupt_in(owner, name):
    request, usual = kernel.get_parent(), getattr(owner, name)
    def interrupting(*arguments, **options):
        if kernel.get_parent() is not request:
            delattr(owner, name)
            signal.raise_signal(signal.SIGINT)
        return usual(*arguments, **options)
    setattr(owner, name, interrupting)
"""
STEPS = {
    "before all": ("kernel, 'should_handle'", "[]"),
    "before its start": ("shell, 'should_run_async'", "[]"),
    "after its end": ("payloads, 'clear_payload'", "[1]"),
}
RUNNING = {"a cell": "ran.append(1)", "asynchronous": "import asyncio\nran.append(1)\nawait asyncio.sleep(0)"}


@pytest.mark.parametrize("code", RUNNING.values(), ids=RUNNING)
@pytest.mark.parametrize(("step", "ran"), STEPS.values(), ids=STEPS)
def test_an_interrupt_is_not_lost(host, code, step, ran):
    """Before its first line it keeps a cell from running, after its last line the reply says it."""
    host.run(INTERRUPTING)
    host.run(f"interrupt_in({step})")
    reply, published = conversation(host, host.ask("execute_request", cell(code)))
    assert reply["ename"] == "KeyboardInterrupt"
    assert "error" in published
    assert host.run("print(ran)") == f"{ran}\n"


ODD = {
    "RuntimeError": "def fail(_): del shell.user_expressions; raise RuntimeError('odd')\n"
    "shell = get_ipython(); shell.user_expressions = fail",
    "CancelledError": "import asyncio\n[one.cancel() for one in asyncio.all_tasks()]\nawait asyncio.sleep(0)",
}


@pytest.mark.parametrize("name", ODD)
def test_a_cell_that_breaks_its_kernel_s_machinery_is_answered(host, name):
    """A request whose handling fails, or whose task is cancelled, is not left without a reply."""
    reply, _ = conversation(host, host.ask("execute_request", cell(ODD[name])))
    assert reply["ename"] == name
    assert host.run("print('alive')") == "alive\n"


def test_user_code_sees_the_usual_handler(host):
    """asyncio.run and trio look for it; what a cell sets instead holds until its end."""
    usual = "import signal\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert host.run(usual) == "True\n"
    own = "signal.signal(signal.SIGINT, lambda *_: print('own'))\nsignal.raise_signal(signal.SIGINT)"
    assert host.run(own) == "own\n"
    assert host.run(usual) == "True\n"


def test_an_interrupt_is_shown_where_it_struck(host):
    """In a cell's code it raises at that line, and the traceback has it."""
    request = host.ask("execute_request", cell("import signal\nsignal.raise_signal(signal.SIGINT)"))
    reply, published = conversation(host, request)
    assert reply["ename"] == "KeyboardInterrupt"
    assert "raise_signal" in "".join(reply["traceback"])
    assert "error" in published


def test_an_interrupted_value_is_not_held_against_the_next_cell(host):
    """One that awaits something, or shows a traceback and goes on, has not failed."""
    interrupting = "class Value:\n    def __repr__(self): signal.raise_signal(signal.SIGINT)"
    reply = host.reply(host.ask("execute_request", cell(f"import signal\n{interrupting}\nValue()")))
    assert reply["ename"] == "KeyboardInterrupt"
    host.run("import asyncio\nawait asyncio.sleep(0)")
    shown = "try: 1 / 0\nexcept ZeroDivisionError: get_ipython().showtraceback()"
    reply, published = conversation(host, host.ask("execute_request", cell(shown)))
    assert "error" in published
    assert reply["status"] == "ok"


FORKING = """
import logging, os, signal, sys, threading

def trace(frame, event, _):
    global struck
    if frame.f_code is getattr(getattr(logging, "_releaseLock", None), "__code__", None):
        struck = True
        sys.settrace(None)
        signal.raise_signal(signal.SIGINT)

struck = False
sys.settrace(trace)
if not os.fork():
    os._exit(0)
sys.settrace(None)
struck or signal.raise_signal(signal.SIGINT)  # a Python in which nothing can be struck
while True:
    pass
"""
LOGGING = """
thread = threading.Thread(target=logging.getLogger, args=("new",), daemon=True)
thread.start()
thread.join(20)
print(thread.is_alive())
"""


def test_an_interrupted_fork(host):
    """Python ignores what is raised on the way; here it raises after, and leaves no lock taken."""
    request = host.ask("execute_request", cell(FORKING))
    try:
        assert host.reply(request)["ename"] == "KeyboardInterrupt"
    except TimeoutError:
        host.tell(Signal(signal.SIGINT))  # the next test has the kernel, too
        raise
    assert host.run(LOGGING) == "False\n"


def test_an_interrupted_question(host):
    """Whoever is asked need not answer."""
    request = host.execute("input()", allow_stdin=True)
    host.until(lambda heard: isinstance(heard, Message) and heard.channel is Channel.STDIN)
    host.tell(Signal(signal.SIGINT))
    assert host.reply(request)["ename"] == "KeyboardInterrupt"


def test_an_interrupted_wait(host):
    """An asynchronous cell is cancelled while it waits: its event loop is asleep, and has to be woken."""
    code = "import asyncio, os, threading\nthreading.Timer(0.3, os.kill, (os.getpid(), 2)).start()\n"
    reply = host.reply(host.ask("execute_request", cell(f"{code}await asyncio.sleep(100)")))
    assert reply["ename"] == "CancelledError"
