"""Promises of the sandbox's thread that no kernel is needed for."""

import concurrent.futures
import json
import sys
import threading

import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient

from sandbox_kernel.errors import StartError
from sandbox_kernel.guest import counters, service, supervisor
from sandbox_kernel.host import kernel_log, living, registry
from sandbox_kernel.host.engines.memory import MemoryEngine
from sandbox_kernel.policy import Policy
from sandbox_kernel.policy.fields import ONE_YEAR
from sandbox_kernel.wire import Channel
from tests.conformance.kernel import Kernel


class Broken(MemoryEngine):
    """An engine with a bug."""

    def start(self, policy, launch):
        raise ZeroDivisionError("a bug")


def test_a_bug_in_an_engine_reaches_who_waits(directory, no_leftovers):
    """Whatever is raised in the thread ends up in the future, and nothing is left."""
    kernel = Kernel(Broken(), Policy(), directory, wait=False)
    with pytest.raises(StartError, match="a bug"):
        kernel.started.result(timeout=30)
    assert kernel.sandbox.ended.result(timeout=30)
    kernel.close()


def test_the_end_is_published_even_if_clearing_fails(directory, monkeypatch):
    """A failing step of the clearing neither hides the end nor keeps the other steps from being taken."""
    failed = []

    def fail(front):
        failed.append(front)
        raise OSError("disk on fire")

    kernel = Kernel(MemoryEngine(), Policy(), directory)
    monkeypatch.setattr(registry, "leave", fail)
    monkeypatch.setattr("threading.excepthook", lambda args: failed.append(args.exc_value))
    kernel.sandbox.kill()
    assert kernel.sandbox.ended.result(timeout=30).kind == "shutdown"
    kernel.sandbox.close()
    assert len(failed) == 2  # the step, and the report of it
    assert kernel.sandbox not in living._LIVE
    monkeypatch.undo()
    kernel.close()


@pytest.mark.parametrize("changed", ["WIRE_VERSION", "__version__"])
def test_a_guest_of_another_version_is_named(directory, monkeypatch, no_leftovers, changed):
    """An image outlives upgrades: the first frame tells, and the sentence says what to do."""
    monkeypatch.setattr(supervisor, changed, 7 if changed == "WIRE_VERSION" else "0.0.7")
    kernel = Kernel(MemoryEngine(), Policy(), directory, wait=False)
    with pytest.raises(StartError, match="sandbox-kernel image build"):
        kernel.started.result(timeout=30)
    kernel.close()


@pytest.mark.parametrize(
    ("killed", "refused", "words"), [(1, 0, "memory limit was reached"), (0, 5, "limit on processes")]
)
def test_what_the_guest_has_counted_is_told(directory, monkeypatch, tmp_path, killed, refused, words):
    """Where the host cannot read the control group, the cell is told of what the guest saw in it."""
    monkeypatch.setattr(service, "Group", lambda: counters.Group(str(tmp_path)))
    group = {"memory.events": "oom_kill {}", "pids.events": "max {}"}
    for name, text in group.items():
        (tmp_path / name).write_text(text.format(0))
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    assert "[sandbox]" not in kernel.run("1").text("stderr")
    for (name, text), count in zip(group.items(), (killed, refused), strict=True):
        (tmp_path / name).write_text(text.format(count))
    assert words in kernel.run("2").text("stderr")
    assert "[sandbox]" not in kernel.run("3").text("stderr")
    kernel.close()


def test_a_flood_in_the_kernels_log_ends(directory, monkeypatch):
    """What the kernel's process writes reaches the host's log up to a cap, and says so."""
    monkeypatch.setattr(kernel_log, "MAX_LOG", 1000)
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    for _ in range(100):
        kernel.sandbox._log.note("x" * 100)
    assert sum(map(len, kernel.log)) < 2000
    assert "not kept" in kernel.log[-1]
    kernel.close()


def test_deadlines_may_be_a_year_away(directory):
    """What waits for them counts milliseconds in a C int, which ends after 24.8 days."""
    far = Policy(start_timeout=ONE_YEAR, cell_timeout=ONE_YEAR, session_timeout=ONE_YEAR)
    kernel = Kernel(MemoryEngine(), far, directory)
    assert kernel.value("20 + 22") == "42"
    kernel.close()


LATE = "import runpy, time; time.sleep(3); runpy.run_module('ipykernel_launcher', run_name='__main__')"


def test_a_cell_s_time_begins_when_its_kernel_has_started(directory):
    """A client need not wait for a kernel that starts anew; a slow start is not its cell's."""
    argv = (sys.executable, "-c", LATE, "-f", "{connection_file}")
    kernel = Kernel(MemoryEngine(), Policy(cell_timeout=2), directory, argv=argv, wait=False)
    client = BlockingKernelClient()
    client.load_connection_info(kernel.front.connection_info())
    client.start_channels()
    kernel.clients.append(client)
    ran = kernel.collect(client.execute("1"), client=client)
    assert ran.status == "ok", ran.reply["content"]
    kernel.close()


def test_a_bug_of_ours_is_told_in_the_running_cell(directory, monkeypatch, no_leftovers):
    """Whatever fails while a kernel is served, its clients are told as of any other end."""
    kernel = Kernel(MemoryEngine(), Policy(), directory)

    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(kernel.sandbox._tunnel, "_take_from_guest", fail)
    ran = kernel.run("1")
    assert "a bug" in ran.reply["content"]["evalue"]
    assert kernel.sandbox.ended.result(timeout=30).kind == "protocol"
    kernel.close()


def test_last_words_wait_for_a_slow_reader(directory):
    """Why a kernel died comes after all that it had said, however long a client takes to read that."""
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    request = kernel.client.execute(
        "import os\nfor _ in range(6_000): display({'text/plain': 'x' * 1000}, raw=True)\nos._exit(3)"
    )
    while not kernel.sandbox.cause:  # and all the while nobody reads
        assert not kernel.sandbox.ended.done()
        threading.Event().wait(0.01)
    assert not concurrent.futures.wait([kernel.sandbox.ended], timeout=2).done
    ran = kernel.collect(request)
    assert "exit status 3" in ran.of("error")[0]["content"]["evalue"]
    kernel.close()


def test_no_room_for_a_thread_is_told(directory, monkeypatch, no_leftovers):
    """A start that cannot begin fails; it does not leave anybody waiting."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        kernel = Kernel(MemoryEngine(), Policy(), directory, wait=False)
    with pytest.raises(StartError, match="can't start new thread"):
        kernel.started.result(timeout=30)
    assert kernel.sandbox.ended.result(timeout=30).kind == "lost"
    kernel.close()


def test_the_first_that_a_client_hears_is_its_welcome(directory):
    """Also from a kernel that is publishing: what comes before would be lost to who waits for the welcome."""
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    kernel.client.execute("while True: display({'text/plain': 'x'}, raw=True)")
    context = zmq.Context()
    for _ in range(40):
        socket = context.socket(zmq.SUB)
        socket.subscribe(b"")
        socket.connect(kernel.front.address(Channel.IOPUB))
        assert socket.poll(30_000)
        assert json.loads(socket.recv_multipart()[-4])["msg_type"] == "iopub_welcome"
        socket.close(linger=0)
    context.destroy(linger=0)
    kernel.close()
