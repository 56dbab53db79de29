"""Promise: no cell floods its client, breaks it, speaks for another, or spoils the notebook.

The rules are kept outside, so behind every wall alike; `tests/host/test_guard.py` has more of them.
"""

import os
import queue

import pytest
from jupyter_client.manager import start_new_kernel

from sandbox_kernel.policy import Policy
from tests.adversarial.cells import CELLS, OUTPUT, PRELUDE, Heard
from tests.conformance.conftest import CONTAINERS, EMBEDDED, make
from tests.conformance.kernel import PATIENCE, Kernel, next_of

pytestmark = pytest.mark.timeout(300)


def observe(client, code: str, *, patience: float = 1) -> Heard:
    """Run a cell and another one; return all that came meanwhile, and a question that comes soon."""
    heard = Heard(client.execute(code, allow_stdin=False))
    after = client.execute("None", allow_stdin=False)
    while True:
        try:
            message = client.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            raise
        except Exception as error:
            heard.errors.append(repr(error)[:200])
            continue
        heard.messages.append(message)
        state = message["content"].get("execution_state")
        if message["parent_header"].get("msg_id") == after and state == "idle":
            break
    next_of(client.get_shell_msg, after, PATIENCE)
    try:
        if client.get_stdin_msg(timeout=patience if "input_request" in code else 0):
            heard.questions += 1
    except queue.Empty:
        heard.questions = 0
    return heard


@pytest.fixture(scope="module")
def unguarded():
    """A kernel with nothing around it."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    manager, client = start_new_kernel(kernel_name="python3", env=plain)  # with it, C's output is lost
    observe(client, PRELUDE)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module", params=[*EMBEDDED, *CONTAINERS])
def guarded(request, tmp_path_factory):
    """A kernel behind each of the walls."""
    kernel = Kernel(
        make(request, request.param),
        Policy(output=OUTPUT, workspace="none"),
        tmp_path_factory.mktemp("cells"),
    )
    assert kernel.run(PRELUDE).status == "ok"
    yield kernel.client
    kernel.close()


@pytest.mark.parametrize("name", CELLS)
def test_it_harms_where_nothing_is_in_its_way(unguarded, name):
    """The attack is real: a client of an ordinary kernel is harmed."""
    assert CELLS[name].harm(observe(unguarded, CELLS[name].code, patience=10))


@pytest.mark.parametrize("name", CELLS)
def test_it_harms_nobody(guarded, name):
    """Behind a wall the client is well, and the kernel answers the next cell."""
    assert CELLS[name].harm(observe(guarded, CELLS[name].code)) == ""
