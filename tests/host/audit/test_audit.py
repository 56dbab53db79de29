"""What is written down of a session, and what a log that cannot be written leads to."""

import hashlib
import json
import os
import threading
from datetime import datetime, timedelta

import pytest

from sandbox_kernel.errors import AuditError, ExitCode, PolicyError
from sandbox_kernel.host.audit import Audit, AuditLog, AuditSettings, Kernel
from sandbox_kernel.host.audit import audit as audit_module
from sandbox_kernel.host.audit import writer as writer_module
from sandbox_kernel.host.audit.records import MAX_CODE, MAX_LINE, MAX_TEXT, line, policy_digest
from sandbox_kernel.host.engines.memory import MemoryEngine
from sandbox_kernel.host.secrets import Secrets
from sandbox_kernel.policy import Policy
from tests.conformance import kernel as conformance
from tests.conformance.kernel import next_of


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "audit.jsonl"


@pytest.fixture
def start(directory, place):
    """Start kernels that are audited; all are ended after the test."""
    kernels = []

    def start(policy=None, *, wait=True, secrets=None, warn=None, **settings):
        warnings, said = [], []
        settings = AuditSettings.from_settings({"audit_log": str(place), **settings})
        audit = Audit(settings, Kernel("an-id", "boxed"), warn=warn or warnings.append, also=said.append)
        options = {"secrets": secrets} if secrets else {}
        kernel = conformance.Kernel(
            MemoryEngine(), policy or Policy(), directory, wait=wait, audit=audit, **options
        )
        kernel.warnings, kernel.said = warnings, said
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


def records(place, event=None):
    found = [json.loads(text) for text in place.read_text().splitlines()]
    return [record for record in found if event in (None, record["event"])]


def digest(code):
    return f"sha256:{hashlib.sha256(code.encode()).hexdigest()}"


def test_a_session(start, place, directory, no_leftovers):
    """Who, what, when, how long, and how each cell and the whole ended."""
    kernel = start(Policy(cell_timeout=1))
    kernel.run("print('x' * 10_000)")
    kernel.run("1 / 0")
    kernel.run("import time; time.sleep(60)")
    kernel.close()
    first, *cells, last = records(place)
    assert {record["session"] for record in (first, *cells, last)} == {kernel.sandbox.launch.name}
    assert (first["event"], first["kernel_id"], first["kernel_name"]) == ("session_start", "an-id", "boxed")
    assert (first["engine"], first["directory"]) == ("memory", str(directory))
    assert first["user"]["uid"] == os.getuid()
    assert first["host"]["pid"] == os.getpid()
    assert first["policy_sha256"] == policy_digest(kernel.sandbox.policy)
    assert first["environment"].startswith("sha256:")
    assert [cell["outcome"] for cell in cells] == ["ok", "error", "deadline"]
    assert [cell["code_sha256"] for cell in cells[:2]] == [digest("print('x' * 10_000)"), digest("1 / 0")]
    assert 10_000 < cells[0]["output_bytes"] < 20_000
    assert 0.9 < cells[2]["duration"] < 60
    assert (last["event"], last["cause"], last["cells"], last["lost"]) == ("session_end", "shutdown", 3, 0)
    assert last["output_bytes"] >= sum(cell["output_bytes"] for cell in cells)
    assert "code" not in cells[0]
    for record in (first, *cells, last):
        moment = datetime.fromisoformat(record["time"])
        assert moment.utcoffset() == timedelta(0)
        assert record["time"].endswith("Z")


def test_records_are_what_the_server_is_told(start, place):
    """Whoever else wants the records gets the same; they are what the schema says."""
    from jupyter_events.schema import EventSchema

    from sandbox_kernel.host.audit.records import SCHEMA, SCHEMA_ID

    kernel = start()
    kernel.run("1")
    kernel.close()
    assert kernel.said == records(place)
    schema = EventSchema(SCHEMA)
    assert schema.id == SCHEMA_ID
    for record in kernel.said:
        schema.validate(record)
        assert record.keys() <= schema.properties.keys()


def test_code_by_choice(start, place):
    """The code itself is kept where an administrator wants it, without the secrets in it."""
    kernel = start(audit_code=True, secrets=Secrets({"TOKEN": "canary-canary"}))
    kernel.run("x = 'canary-canary'")
    kernel.close()
    (cell,) = records(place, "cell")
    assert cell["code"] == "x = '[secret TOKEN]'"
    assert cell["code_sha256"] == digest("x = 'canary-canary'")


def test_cells_that_wait(start, place):
    """A cell's time begins when the one before has ended; one that never ran says so."""
    kernel = start()
    codes = ("import time; time.sleep(0.3)", "2", "import time; time.sleep(60)", "4")
    sent = [kernel.client.execute(code) for code in codes]
    kernel.collect(sent[0], until_idle=False)
    kernel.collect(sent[1])
    kernel.close()
    cells = records(place, "cell")
    assert [cell["outcome"] for cell in cells] == ["ok", "ok", "ended", "unknown"]
    assert cells[0]["duration"] >= 0.3
    assert cells[1]["duration"] < cells[0]["duration"]
    assert cells[1]["start"] >= cells[0]["end"]


def test_a_cell_whose_owner_kills_it(start, place):
    """A cell that is cut short is no orderly end; what it had shown until then counts."""
    kernel = start()
    msg_id = kernel.client.execute("print('x' * 10_000, flush=True); import time; time.sleep(600)")
    while next_of(kernel.client.get_iopub_msg, msg_id, conformance.PATIENCE)["msg_type"] != "stream":
        pass
    kernel.close()
    (cell,) = records(place, "cell")
    (last,) = records(place, "session_end")
    assert cell["outcome"] == "ended"
    assert 10_000 < cell["output_bytes"] < 20_000
    assert (last["cause"], last["exit_code"]) == ("cancelled", ExitCode.CANCELLED)
    assert last["output_bytes"] >= cell["output_bytes"]


def test_a_refused_cell(start, place):
    """Code that was not let in is noted as such."""
    kernel = start(Policy(code=1024))
    kernel.run("x" * 5000)
    kernel.close()
    assert [cell["outcome"] for cell in records(place, "cell")] == ["refused"]


def test_a_launch_that_fails(start, place):
    """What never ran is written down with the reason."""
    kernel = start(wait=False)
    kernel.sandbox.kill()
    assert kernel.started.exception(timeout=30)
    kernel.close()
    assert [record["event"] for record in records(place)] == ["session_start", "session_end"]


HOSTILE = [
    'print(\'{"v":1,"event":"session_end"}\\n{"v":1}\')',
    "x = '''\n{\"v\":1,\"event\":\"cell\"}\n'''",
    "raise Exception('\\n{\"v\":1}\\n\\x1b[2J')",
    "k = get_ipython().kernel; k.session.send(k.iopub_socket, 'error', {'ename': '\\n', 'evalue': 'x' * 9})",
    "import sys; sys.stderr.write('\\n{\"v\":1}\\n'); sys.__stderr__.write('\\n{\"v\":1}\\n')",
]


def test_a_kernel_cannot_write_into_it(start, place):
    """Whatever it prints, raises, is called or claims: one short line for each cell."""
    kernel = start()
    for code in HOSTILE:
        kernel.run(code)
    kernel.run("import os; os._exit(7)", timeout=30)
    kernel.close()
    found = records(place)
    assert [record["event"] for record in found] == ["session_start", *["cell"] * 6, "session_end"]
    assert all(len(text) < 2000 for text in place.read_text().splitlines())
    assert found[-1]["cause"] == "exit"


def test_lines_are_bounded():
    """A text is one line of a bounded length, and no line is longer than its cap, whatever is in it."""
    from sandbox_kernel.host.audit.records import capped

    assert capped("a\n\x1b[2J\u2028b" * 1000).count("\n") == 0
    assert len(capped("x" * 10_000)) == MAX_TEXT
    written = line({"v": 1, "code": "\U0001f600" * MAX_CODE, "policy": ["\x00" * 1000] * 1000})
    assert len(written) <= MAX_LINE + 1
    assert written.count(b"\n") == 1
    assert written.isascii()
    assert json.loads(written)["cut"] == "policy"


def test_off_is_off(start, place):
    """Where nobody wants a log, nothing is written, opened or told."""
    kernel = start(audit="off")
    kernel.run("1")
    kernel.close()
    assert not place.parent.exists()
    assert not kernel.said


def test_a_log_that_cannot_be_written_is_no_reason_to_fail(start, place):
    """The kernel runs as ever; whoever started it is warned once, and others are told all the same."""
    place.parent.touch()  # no directory, nor will it be one
    kernel = start()
    assert kernel.run("print(1)").text() == "1\n"
    kernel.run("2")
    kernel.close()
    assert len(kernel.warnings) == 1
    assert str(place) in kernel.warnings[0]
    assert [record["event"] for record in kernel.said] == ["session_start", "cell", "cell", "session_end"]
    assert kernel.said[-1]["lost"] == 3


def test_a_required_log_that_cannot_be_written(start, place, no_leftovers):
    """Nothing runs that could not be written down."""
    place.parent.touch()
    kernel = start(audit="required", wait=False)
    error = kernel.started.exception(timeout=30)
    assert isinstance(error, AuditError)
    assert error.exit_code == 2
    assert str(place) in str(error)
    assert not kernel.log
    kernel.close()


def test_a_required_log_that_is_lost(start, place):
    """A kernel whose cells can be written down no longer is ended, with that reason."""
    kernel = start(audit="required")
    kernel.run("1")
    kernel.sandbox._audit._writer.flush(30)
    place.unlink()
    place.mkdir()
    kernel.client.execute("2")
    death = kernel.sandbox.ended.result(timeout=30)
    assert (death.kind, "administrator requires it" in death.sentence) == ("stopped", True)


def test_a_disk_that_hangs(start, place, monkeypatch):
    """Neither cells nor the end wait for a thread that writes no more, and what waits for it is bounded."""
    monkeypatch.setattr(audit_module, "PATIENCE", 0.1)
    monkeypatch.setattr(writer_module, "MAX_PENDING", 5000)
    hanging, freed = threading.Event(), threading.Event()

    def hang(sentence):
        hanging.set()
        freed.wait(60)

    place.parent.touch()  # the first line fails, and telling so takes for ever
    kernel = start(warn=hang)
    assert hanging.wait(30)
    for number in range(20):
        assert kernel.run(f"print({number})").text() == f"{number}\n"
    writer = kernel.sandbox._audit._writer
    assert writer._pending <= 5000
    kernel.close()
    assert kernel.said[-1]["lost"] > 5
    freed.set()
    writer._thread.join(30)


class Hanging(threading.Event):
    """Stands in a writer's row and keeps its thread until it is freed."""

    def __init__(self):
        super().__init__()
        self.freed = threading.Event()

    def set(self):
        self.freed.wait(60)


def test_a_disk_that_hangs_is_told_of(place, monkeypatch):
    """Who required the log hears of a line that is lost before it came to be written."""
    monkeypatch.setattr(writer_module, "MAX_PENDING", 1000)
    heard, hanging = [], Hanging()
    writer = writer_module.Writer(AuditLog(place, 1 << 20), "x", on_failure=heard.append)
    writer._lines.put(hanging)
    for _ in range(20):
        writer.put(b"x" * 99 + b"\n")
    assert [error.strerror for error in heard] == ["its disk does not answer"]
    hanging.freed.set()
    writer.close(30)
    assert (writer.lost, len(place.read_bytes())) == (10, 1000)


BAD = [
    {"audit": "maybe"},
    {"audit": None},
    {"audit_code": "perhaps"},
    {"audit_log": "relative"},
    {"audit_log": 7},
    {"audit_size": "1k"},
    {"audit_sise": "1m"},
]


@pytest.mark.parametrize("settings", BAD)
def test_unusable_settings_are_refused(settings):
    """A misspelt setting is an error, not a log that nobody asked for."""
    with pytest.raises(PolicyError, match=next(iter(settings))[:9]):
        AuditSettings.from_settings(settings)


def test_the_default():
    """On, without code, in the usual place, 64 MiB."""
    settings = AuditSettings.from_settings({})
    assert (settings.mode, settings.code, settings.path, settings.size) == ("on", False, None, 64 << 20)
