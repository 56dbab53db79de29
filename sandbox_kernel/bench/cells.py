"""What is measured on one live kernel: round trips, output, input, widgets, interrupt, restart."""

import threading
import time
from queue import Empty
from time import perf_counter
from typing import Any, Final

from sandbox_kernel.bench.kernel import PATIENCE, Kernel, Message, answer_to
from sandbox_kernel.bench.unmeasured import UnmeasuredError

PRINTS: Final = 1_000
OUTPUT_BYTES: Final = 50_000_000
INPUT_BYTES: Final = 100_000_000
UPDATES: Final = 2_000
IN_A_CELL: Final = 500
"""Of the updates: ZeroMQ lets a thousand messages wait for a client, a plain kernel drops what is more."""

MILLION: Final = 1e6

_COMPLETED: Final = "import os; os.pat"

_COMM_IN: Final = f"""
import comm
def _bench_opened(opened, _):
    def _bench_heard(message):
        taken = sum(memoryview(each).nbytes for each in message['buffers'])
        opened.send({{'taken': taken == {INPUT_BYTES}}})
    opened.on_msg(_bench_heard)
comm.get_comm_manager().register_target('sandbox-kernel-bench', _bench_opened)
"""

_WIDGET: Final = f"""
import comm
_bench_widget = comm.create_comm(
    target_name='jupyter.widget', metadata={{'version': '2.1.0'}},
    data={{'buffer_paths': [], 'state': {{
        '_model_module': '@jupyter-widgets/controls', '_model_module_version': '2.0.0',
        '_model_name': 'IntProgressModel', '_view_module': '@jupyter-widgets/controls',
        '_view_module_version': '2.0.0', '_view_name': 'ProgressView', 'max': {UPDATES}, 'value': 0}}}})
"""
"""A progress bar as ipywidgets makes it, where ipywidgets need not be installed."""

_UPDATES: Final = f"""
for _bench_i in range({IN_A_CELL}):
    _bench_widget.send({{'method': 'update', 'state': {{'value': _bench_i}}, 'buffer_paths': []}})
"""

Samples = dict[str, list[float]]


def execute(kernel: Kernel, times: int) -> Samples:
    """Milliseconds of an empty cell, until its reply and its last message are there."""
    return {"execute": [_milliseconds(kernel, "pass") for _ in range(times)]}


def complete(kernel: Kernel, times: int) -> Samples:
    """Milliseconds of a completion."""
    taken = []
    for _ in range(times):
        begun = perf_counter()
        kernel.answer(kernel.client.complete(_COMPLETED, len(_COMPLETED)))
        taken.append((perf_counter() - begun) * 1000)
    return {"complete": taken}


def prints(kernel: Kernel, times: int) -> Samples:
    """Milliseconds of a loop that prints a thousand lines, as people write it and with a flush each."""
    loop = f"for i in range({PRINTS}): print(i"
    return {
        "prints": [_milliseconds(kernel, f"{loop})") for _ in range(times)],
        "flushed_prints": [_milliseconds(kernel, f"{loop}, flush=True)") for _ in range(times)],
    }


def output(kernel: Kernel, times: int) -> Samples:
    """Megabytes per second of one large output."""
    code = f"display({{'text/plain': 'x' * {OUTPUT_BYTES}}}, raw=True)"
    speeds = []
    for _ in range(times):
        heard: list[Message] = []
        begun = perf_counter()
        kernel.run(code, heard.append)
        taken = perf_counter() - begun
        if (came := max(map(_text_length, heard))) < OUTPUT_BYTES:
            raise UnmeasuredError(f"only {came} of {OUTPUT_BYTES} bytes of output came")
        speeds.append(OUTPUT_BYTES / MILLION / taken)
    return {"output": speeds}


def take_in(kernel: Kernel, times: int) -> Samples:
    """Megabytes per second of a widget's message into the kernel, until the kernel has answered it."""
    kernel.run(_COMM_IN)
    client, session = kernel.client, kernel.client.session
    channel = client.shell_channel.socket
    opened = {"comm_id": "bench", "target_name": "sandbox-kernel-bench", "data": {}}
    session.send(channel, "comm_open", opened)
    buffers = [bytes(INPUT_BYTES // 2)] * 2
    speeds = []
    for _ in range(times):
        begun = perf_counter()
        sent = session.send(channel, "comm_msg", {"comm_id": "bench", "data": {}}, buffers=buffers)
        while (message := answer_to(client.get_iopub_msg, sent["header"]["msg_id"]))[
            "msg_type"
        ] != "comm_msg":
            continue
        if not message["content"]["data"]["taken"]:
            raise UnmeasuredError("not every byte of the input came")
        speeds.append(INPUT_BYTES / MILLION / (perf_counter() - begun))
    session.send(channel, "comm_close", {"comm_id": "bench", "data": {}})
    return {"input": speeds}


def widgets(kernel: Kernel, times: int) -> Samples:
    """Milliseconds of cells that move a progress bar two thousand times."""
    kernel.run(_WIDGET)
    taken = []
    for _ in range(times):
        heard: list[Message] = []
        begun = perf_counter()
        for _ in range(UPDATES // IN_A_CELL):
            kernel.run(_UPDATES, heard.append)
        taken.append((perf_counter() - begun) * 1000)
        if (came := sum(message["msg_type"] == "comm_msg" for message in heard)) != UPDATES:
            raise UnmeasuredError(f"only {came} of {UPDATES} updates came")
    return {"widgets": taken}


def interrupt(kernel: Kernel, times: int) -> Samples:
    """Milliseconds from interrupt_kernel() to the busy cell's reply, while its output floods."""
    return {"interrupt": [_interrupt(kernel) for _ in range(times)]}


def _interrupt(kernel: Kernel) -> float:
    manager, client = kernel.manager, kernel.client
    flooding, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                if client.get_iopub_msg(timeout=0.05)["msg_type"] == "display_data":
                    flooding.set()
            except Empty:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        msg_id = client.execute("while True: display({'text/plain': 'x' * 10_000}, raw=True)")
        if not flooding.wait(PATIENCE):
            raise UnmeasuredError(f"no output came within {PATIENCE:g} s")
        time.sleep(0.2)  # let the flood fill every buffer on its way
        begun = perf_counter()
        manager.interrupt_kernel()
        answer_to(client.get_shell_msg, msg_id)
        took = perf_counter() - begun
    finally:
        done.set()
        reader.join()
    while True:  # leave nothing unread to the next round
        try:
            client.get_iopub_msg(timeout=0.5)
        except Empty:
            return took * 1000


def restart(kernel: Kernel, times: int) -> Samples:
    """Milliseconds from restart_kernel(), as JupyterLab asks for it, to the new kernel's first answer."""
    taken = []
    for _ in range(times):
        begun = perf_counter()
        kernel.manager.restart_kernel()
        answered = _first_answer(kernel, until=begun + PATIENCE)
        taken.append((answered - begun) * 1000)
    return {"restart": taken}


def _first_answer(kernel: Kernel, *, until: float) -> float:
    """Ask again and again: what is sent while no kernel listens may be lost. Return when an answer came."""
    client = kernel.client
    while perf_counter() < until:
        asked = client.kernel_info()
        try:
            while client.get_shell_msg(timeout=0.1)["parent_header"].get("msg_id") != asked:
                continue
        except Empty:
            continue
        answered = perf_counter()
        kernel.run("pass")
        return answered
    raise UnmeasuredError(f"the kernel did not answer within {PATIENCE:g} s of its restart")


def _milliseconds(kernel: Kernel, code: str) -> float:
    begun = perf_counter()
    kernel.run(code)
    return (perf_counter() - begun) * 1000


def _text_length(message: Message) -> int:
    data: dict[str, Any] = message["content"].get("data") or {}
    return len(data.get("text/plain", ""))
