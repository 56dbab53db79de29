"""A model's session with the server, by the SDK's own client over standard input and output."""

import base64
import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import nbformat
import pytest
from mcp.types import CallToolResult
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.leftovers import Census
from tests.mcp.conftest import PROGRAM, Session, text_of

PNG = b"\x89PNG\r\n\x1a\n"
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.savefig('/tmp/figure.png')\nplt.show()"
MEMORY_BOMB = "held = []\nwhile True: held.append(bytearray(b'x') * (32 << 20))"
SLEEPER = "import time\nbegun = True\ntime.sleep(60)"


def test_what_a_model_is_told(session: Session, folder: Path) -> None:
    """The instructions name the limits and what is shared; each tool and argument is described."""
    told = session.client.instructions
    assert "256 MiB memory" in told
    assert "no network" in told
    assert f"{folder}, which is where code runs and can only be read" in told
    tools = session.tools()
    assert {tool.name for tool in tools} == {"run_code", "run_notebook", "put_file", "get_file", "reset"}
    for tool in tools:
        assert len(tool.description) > 30
        assert all(argument["description"] for argument in tool.input_schema["properties"].values())


def test_code(session: Session) -> None:
    """Code runs behind a wall; its state stays, and what it prints and evaluates to comes back."""
    first = session.call("run_code", code="import platform\nx = 20\nprint('printed')\nplatform.node()")
    assert (first.is_error, text_of(first)) == (False, "printed\n'sandbox'")
    assert text_of(session.call("run_code", code="2 * x + 2")) == "42"
    assert text_of(session.call("run_code", code="y = 1")) == "[No output.]"


def test_an_argument_that_there_is_none(session: Session) -> None:
    """A misspelt deadline is refused by its name, and nothing runs without one."""
    told = session.call("run_code", code="1", timeout=2)
    assert told.is_error
    assert "timeout" in str(told.content)


def test_an_error(session: Session) -> None:
    """An error of the code is a result, with its traceback as plain text."""
    result = session.call("run_code", code="def f(): 1 / 0\nf()")
    assert result.is_error
    assert "----> 1 def f(): 1 / 0" in text_of(result)
    assert text_of(result).endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in text_of(result)


def test_a_figure(session: Session) -> None:
    """A figure of matplotlib comes back as an image, from code and from a file."""
    shown = session.call("run_code", code=FIGURE)
    read = session.call("get_file", path="/tmp/figure.png", encoding="image")
    for result in (shown, read):
        assert [(block.type, block.mime_type) for block in result.content] == [("image", "image/png")]
        assert base64.b64decode(result.content[0].data, validate=True).startswith(PNG)


def test_memory(session: Session) -> None:
    """A memory kill is told with its reason; the next call gets a fresh sandbox, and says so."""
    session.call("run_code", code="kept = 1")
    killed = session.call("run_code", code=MEMORY_BOMB)
    assert killed.is_error
    assert "[memory: Killed: used 256 MiB of 256 MiB memory" in text_of(killed)
    assert "the next call gets a fresh one" in text_of(killed)
    after = session.call("run_code", code="'kept' in globals()")
    assert not after.is_error
    assert "The sandbox had ended: Killed: used 256 MiB of 256 MiB memory" in text_of(after)
    assert text_of(after).endswith("False")
    assert text_of(session.call("run_code", code="1")) == "1"


def test_files(session: Session, tmp_path: Path) -> None:
    """Files go in and come out as text and as base64; paths are the sandbox's, and nobody else's."""
    assert not session.call("put_file", path="~/new/a.txt", content="grüße").is_error
    assert text_of(session.call("get_file", path="~/new/a.txt")) == "grüße"
    data = bytes(range(256))
    session.call("put_file", path="/tmp/b", content=base64.b64encode(data).decode(), encoding="base64")
    assert "not UTF-8 text" in text_of(session.call("get_file", path="/tmp/b"))
    result = session.call("get_file", path="/tmp/b", encoding="base64")
    assert base64.b64decode(result.content[0].resource.blob) == data
    assert text_of(session.call("get_file", path="data.txt")) == "forty-two"
    (tmp_path / "secret").write_text("of the host")
    for path in (tmp_path / "secret", "/dev/zero", "~", "/tmp/b\0"):
        assert session.call("get_file", path=str(path)).is_error
    refused = session.call("put_file", path="data.txt", content="changed")  # shared to be read
    assert refused.is_error
    assert "Read-only file system. ~ (the home inside) and /tmp can be written." in text_of(refused)
    assert session.call("put_file", path="/tmp/c", content="no base64", encoding="base64").is_error


def until_there(path: Path, running: Future[CallToolResult]) -> None:
    while not path.exists():
        assert not running.done(), text_of(running.result())
        threading.Event().wait(0.02)


def test_reset(session: Session, signals: Path) -> None:
    """Reset ends what runs, and forgets everything."""
    running = session.begin("run_code", code=f"forgotten = open('{signals}/reset', 'w')\n{SLEEPER}")
    until_there(signals / "reset", running)
    assert text_of(session.call("reset")) == "[This is a fresh sandbox.]"
    assert running.result(30).is_error
    assert text_of(session.call("run_code", code="'forgotten' in globals()")).endswith("False")


def test_an_end_between_calls(session: Session) -> None:
    """A sandbox that ends while nobody calls is seen to have ended by the next call."""
    code = "import os, threading\nthreading.Timer(0.01, os._exit, [3]).start()"
    session.call("run_code", code=code)
    said = ""
    while "This call got a fresh one" not in said:  # one may have come in just in time
        said = text_of(session.call("run_code", code="1"))


def test_cancel(session: Session, signals: Path) -> None:
    """A call that its client gives up is interrupted; the state of the sandbox is kept."""
    running = session.begin("run_code", code=f"open('{signals}/begun', 'w').close()\n{SLEEPER}")
    until_there(signals / "begun", running)
    running.cancel()
    after = session.begin("run_code", code="begun")
    assert text_of(after.result(20)) == "True"


def test_a_deadline(session: Session) -> None:
    """A call's own deadline interrupts it, and keeps the state."""
    result = session.call("run_code", code=SLEEPER, timeout_seconds=0.5)
    assert result.is_error
    assert "[timeout: The deadline of 0.5 s passed.]" in text_of(result)
    assert text_of(session.call("run_code", code="begun")) == "True"


def test_a_notebook(session: Session) -> None:
    """A notebook runs up to its first error, and is saved inside with its outputs."""
    cells = ["a = 6", "# left out", "print('seven times')\n7 * a", "1 / 0", "'after'"]
    nodes = [new_markdown_cell(text) if text[:1] == "#" else new_code_cell(text) for text in cells]
    notebook = nbformat.writes(new_notebook(cells=nodes))
    failed = session.call("run_notebook", notebook=notebook, save_as="/tmp/out.ipynb")
    assert failed.is_error
    assert "[Cell 2 of 4:]\nseven times\n42\n[Cell 3 of 4:]" in text_of(failed)
    assert "The notebook ended in cell 3 of 4: The code raised ZeroDivisionError" in text_of(failed)
    saved = nbformat.reads(text_of(session.call("get_file", path="/tmp/out.ipynb")), as_version=4)
    nbformat.validate(saved)
    assert [len(cell.get("outputs", [])) for cell in saved.cells] == [0, 0, 2, 1, 0]
    session.call("put_file", path="/tmp/in.ipynb", content=nbformat.writes(new_notebook(cells=nodes[:3])))
    assert "All 2 code cells ran." in text_of(session.call("run_notebook", path="/tmp/in.ipynb"))
    for wrong in ({}, {"notebook": "{}"}, {"path": "/nowhere"}, {"path": "x", "notebook": "{}"}):
        assert session.call("run_notebook", **wrong).is_error


HOSTILE = """
from IPython.display import HTML, Image, display, publish_display_data
display(HTML('<script>steal()</script>'))
publish_display_data({'image/png': 'bm8gcGljdHVyZQ==', 'text/plain': 'a picture, it says'})
publish_display_data({'text/plain': '\\x1b]0;title\\x07plain\\x1b[31m and red'})
publish_display_data({'application/json': {'a': ['b'] * 100_000}})
png = bytes.fromhex('89504e470d0a1a0a0000000d494844520000ffff0000ffff')
for _ in range(3): publish_display_data({'image/png': __import__('base64').b64encode(png).decode()})
print('x' * 5_000_000)
"""


def test_hostile_output(session: Session) -> None:
    """A model is shown text of bounded length and pictures that are some, and no HTML."""
    result = session.call("run_code", code=HOSTILE)
    assert {block.type for block in result.content} == {"text"}
    said = text_of(result)
    assert len(said) < 100_000
    assert "<script" not in said
    assert "\x1b" not in said
    assert "it says that it is image/png, and is not" in said
    assert "one of its sides has 65535 pixels" in said
    assert "plain and red" in said
    assert "characters are left out here" in said


def line(message: dict[str, object]) -> str:
    return json.dumps({"jsonrpc": "2.0", **message}) + "\n"


CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
CODE = {
    "code": "import os, subprocess\nsubprocess.Popen(['sleep', '60'])\nos.system('echo outside the protocol')"
}


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM", "end of input"])
def test_the_end(no_leftovers: Census, ending: str) -> None:
    """Nothing is left of a session, however its client ends it; standard output had the protocol alone."""
    pipe = subprocess.PIPE
    with subprocess.Popen([PROGRAM, "mcp"], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        server.stdin.write(line({"id": 1, "method": "initialize", "params": CLIENT}))
        server.stdin.write(line({"method": "notifications/initialized"}))
        server.stdin.write(
            line({"id": 2, "method": "tools/call", "params": {"name": "run_code", "arguments": CODE}})
        )
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        assert not answers[1]["result"].get("isError"), answers
        assert no_leftovers.added()  # there is something to be left behind
        if ending == "end of input":
            server.stdin.close()
        else:
            server.send_signal(signal.Signals[ending])
        assert server.wait(60) == {"SIGKILL": -9, "SIGTERM": 143, "end of input": 0}[ending]
        assert server.stdout.read() == ""
    assert no_leftovers.settle() == set()


WARNING = """
import logging
from sandbox_kernel.mcp.desk import Desk
from sandbox_kernel.mcp.server import log_plainly, make_server
from sandbox_kernel.session import AsyncSandbox
log_plainly()
make_server(Desk(AsyncSandbox()), "")
logging.getLogger("traitlets").warning("word " * 50 + "end")
"""


def test_warnings_are_lines() -> None:
    """A client's log gets each warning as one line, however long it is, and nothing between its words."""
    done = subprocess.run(
        [sys.executable, "-c", WARNING], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", f"sandbox-kernel: {'word ' * 50}end\n")
