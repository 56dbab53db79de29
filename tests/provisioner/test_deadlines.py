"""What people read when a deadline has passed: in nbclient, in papermill, in the cell."""

import queue

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from sandbox_kernel.errors import ExitCode
from tests.provisioner.kernels import PATIENCE, printed, running, until

pytestmark = pytest.mark.usefixtures("memory", "no_leftovers")

CELLS = {
    "interrupted": "import time; time.sleep(60)",
    "swallowed": "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('went on')",
    "renamed": "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise ValueError('mine')",
    "stubborn": "import time\nwhile True:\n try: time.sleep(60)\n except BaseException: pass",
}
SENTENCE = "The deadline of 0.5 s for a cell passed ('cell_timeout')."


@pytest.fixture
def short(monkeypatch):
    """Half a second for a cell, and as much to come to its end."""
    monkeypatch.setenv("SANDBOX_KERNEL_CELL_TIMEOUT", "500ms")
    monkeypatch.setattr("sandbox_kernel.host.deadlines.GRACE", 0.5)
    monkeypatch.setattr("sandbox_kernel.host.tunnel.AFTERWARDS", PATIENCE)  # however busy this machine is


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_nbclient_names_the_deadline(short, code):
    """Whatever a cell makes of its interrupt, nbclient raises an error with the deadline in it."""
    notebook = new_notebook(cells=[new_code_cell(code), new_code_cell("print('not reached')")])
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, kernel_name="boxed", timeout=PATIENCE).execute()
    assert SENTENCE in caught.value.evalue
    # Not always the last: what the cell itself still says comes on another socket than its reply.
    assert SENTENCE in str(notebook.cells[0].outputs)
    assert not notebook.cells[1].outputs


@pytest.mark.parametrize("way", ["interrupted", "stubborn"])
@pytest.mark.filterwarnings("default")  # papermill's own
def test_papermill_names_the_deadline(short, tmp_path, way):
    """Papermill raises it, and saves it at the head of the notebook."""
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(CELLS[way])]), source)
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(source, target, kernel_name="boxed", progress_bar=False)
    assert SENTENCE in str(caught.value)
    assert SENTENCE in target.read_text()


def test_a_cell_that_may_raise_still_tells(short):
    """A cell that is tagged as one that raises does not stop nbclient; the next one tells why not."""
    fatal = new_code_cell(CELLS["stubborn"], metadata={"tags": ["raises-exception"]})
    notebook = new_notebook(cells=[fatal, new_code_cell("1")])
    with pytest.raises(CellExecutionError, match="The deadline of"):
        NotebookClient(notebook, kernel_name="boxed", timeout=PATIENCE).execute()
    assert SENTENCE in notebook.cells[0].outputs[-1]["evalue"]


def reply(client, msg_id):
    while True:
        message = client.get_shell_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") == msg_id:
            return message["content"]


def test_cells_behind_one_that_is_killed(short):
    """They are answered as well, as aborted: nobody waits for them."""
    with running() as (_, client):
        cells = [client.execute(code) for code in (CELLS["stubborn"], "1", "2")]
        replies = [reply(client, cell) for cell in cells]
    assert [content["status"] for content in replies] == ["error", "aborted", "aborted"]
    assert replies[0]["evalue"] == SENTENCE


def test_a_question_does_not_stop_the_clock(monkeypatch):
    """input() is interrupted like anything else; an answer that comes too late answers nothing."""
    monkeypatch.setenv("SANDBOX_KERNEL_CELL_TIMEOUT", "5s")  # enough for the second cell
    monkeypatch.setattr("sandbox_kernel.host.deadlines.GRACE", PATIENCE)
    with running() as (_, client):
        cell = client.execute("input('first')", allow_stdin=True, stop_on_error=False)
        assert client.get_stdin_msg(timeout=PATIENCE)["content"]["prompt"] == "first"
        content = reply(client, cell)
        assert content["ename"] == "KeyboardInterrupt"
        assert content["evalue"] == "The deadline of 5 s for a cell passed ('cell_timeout')."
        client.input("late")
        cell = client.execute("x = input('second')", allow_stdin=True)
        assert client.get_stdin_msg(timeout=PATIENCE)["content"]["prompt"] == "second"
        client.input("in time")
        assert reply(client, cell)["status"] == "ok"
        assert printed(client, "print(x)") == "in time"


CHATTER = """
import threading, time
def chatter():
    while True:
        time.sleep(0.1)
        print("still here", flush=True)
threading.Thread(target=chatter, daemon=True).start()
"""


def test_a_kernel_that_nobody_uses_ends(jupyter):
    """Threads that a cell left behind are no use of a kernel; its last cell says why it is gone."""
    jupyter.spec(config={"idle_timeout": "5s"})
    with running() as (manager, client):
        cell = client.execute(CHATTER)
        reply(client, cell)
        until(lambda: not manager.is_alive())
        assert manager.provisioner.death.exit_code == ExitCode.DEADLINE
        assert "nobody uses" in manager.provisioner.death.sentence
        said = []
        while True:
            try:
                message = client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                break
            if message["msg_type"] == "stream" and message["parent_header"]["msg_id"] == cell:
                said.append(message["content"]["text"])
    assert "nobody uses" in said[-1]


def test_a_busy_kernel_is_in_use(jupyter):
    """A long cell outlives the deadline of idling."""
    jupyter.spec(config={"idle_timeout": "5s"})
    with running() as (_, client):
        assert printed(client, "import time; time.sleep(6); print('done')") == "done"
