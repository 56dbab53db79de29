"""What the command line does with reports of a batch, and says of limits; no kernel is needed."""

import json
import os
import threading
from pathlib import Path

import pytest

from sandbox_kernel.batches import Summary
from sandbox_kernel.cli.batch_reports import Reports
from sandbox_kernel.cli.batch_running import hints
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import Policy
from tests.batches.runs import BEGUN, record


def summary(*outcomes: Outcome, sentence: str = "It ended.") -> Summary:
    records = tuple(record(outcome, sentence) for outcome in outcomes)
    return Summary(records=records, started=BEGUN, duration=1.0, at_once=1)


def test_a_pipe_that_is_read() -> None:
    """A report may go to a pipe, such as `>(jq …)`."""
    os.mkfifo("pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
    reader.start()
    with Reports.read(["json=pipe"]) as reports:
        assert reports.write(summary(Outcome.OK)) == []
    reader.join()
    assert json.loads(got[0])["counts"] == {"ok": 1}


def test_a_pipe_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for a little, and told of; the other reports are there."""
    monkeypatch.setattr("sandbox_kernel.cli.batch_reports.UNREAD_SECONDS", 0.1)
    os.mkfifo("pipe")
    with Reports.read(["json=pipe", "junit=r.xml"]) as reports:
        failures = reports.write(summary(Outcome.OK))
    assert reports.written == {"junit": Path("r.xml")}
    assert failures == ["the json report is not there: Nobody read pipe to its end."]
    assert Path("r.xml").read_text().startswith("<?xml")


def test_hints() -> None:
    """What an option may move is said once, however many runs have met the limit."""
    reached = summary(*[Outcome.MEMORY] * 3, Outcome.ERROR, sentence="Cell 1: Killed: used 1 GiB of memory")
    assert hints(reached, Policy()) == ["this kernel may use 1 GiB; --memory allows more."]
    assert hints(summary(Outcome.ERROR, sentence="Killed: used 1 GiB of memory"), Policy()) == []


@pytest.mark.parametrize("kind", ["html", "json", "junit"])
def test_a_report_replaces_nothing_but_its_like(kind: str) -> None:
    """Not the notebook that somebody has named in its place; an older report is replaced."""
    Path("a.ipynb").write_text('{"cells": []}')
    with pytest.raises(NotebookError, match=f"what is there is no {kind} report"):
        Reports.read([f"{kind}=a.ipynb"]).__enter__()
    assert Path("a.ipynb").read_text() == '{"cells": []}'
    for _ in range(2):
        with Reports.read([f"{kind}=r"]) as reports:
            assert reports.write(summary(Outcome.OK)) == []
