"""Reports: valid for their readers, whatever notebooks and their authors have put into them."""

import html.parser
import json
import os
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sandbox_kernel.batches import Left, Record, Summary, reports
from sandbox_kernel.batches.figures import Figure
from sandbox_kernel.batches.reports.as_json import as_json
from sandbox_kernel.batches.reports.junit import as_junit
from sandbox_kernel.batches.reports.page import MARKS, as_page
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.artifacts import Artifact
from tests.batches.runs import BEGUN, job, record
from tests.batches.test_figures import png

PAGE = Path("/reports/r.html")
NASTY = "\x00\x08\x1b[2J\ud800\ufffe</testcase>]]>&\"'<script>alert(1)</script>\u202e"
NASTY_NAME = os.fsdecode(b"javascript:alert(1)<img src=x onerror=alert(2)>\"'\n\x07\xff.ipynb")


def summary(*records: Record, **fields: object) -> Summary:
    known = {"started": BEGUN, "duration": 10.0, "at_once": 2}
    return Summary(records=records, **known | fields)


def every_kind() -> Summary:
    kinds = [*(outcome for outcome in Outcome if outcome is not Outcome.RUNNING), *Left]
    records = [record(kind, job=job(f"folder/{kind}.ipynb")) for kind in kinds]
    left = {"artifacts": (Artifact("x", 1, "00"),), "artifacts_in": Path("/art/lost")}
    return summary(
        *(replace(one, **left) if one.status is Outcome.LOST else one for one in records), stopped="Enough."
    )


def nasty() -> Summary:
    bad = job(
        NASTY_NAME, output=Path("/out", NASTY_NAME), label=NASTY, parameters={"x": NASTY, "n": float("nan")}
    )
    figure = Figure(png(), 2, 1)
    return summary(
        record(Outcome.ERROR, NASTY * 200, job=bad, failures=(NASTY,), figures=(figure,), figures_left_out=1),
        record(Left.REFUSED, NASTY, job=job("b.ipynb"), started=None),
        stopped=NASTY,
    )


def test_json() -> None:
    """Everything that is known of each run, and of the batch, in plain values."""
    content = json.loads(as_json(every_kind()))
    assert content["format"] == 1
    assert content["counts"]["ok"] == 1
    assert content["exit_code"] == 1
    assert [run["status"] for run in content["runs"]] == [
        "ok", "error", "timeout", "memory", "limit", "cancelled", "died", "lost",
        "unchanged", "refused", "not run",
    ]  # fmt: skip
    assert [run["attempts"] for run in content["runs"]] == [1] * 8 + [0] * 3
    assert (content["runs"][0]["cpu_seconds"], content["runs"][0]["peak_memory_bytes"]) == (0.5, 80 << 20)
    assert content["runs"][0]["started"] == "2026-11-26T07:00:00.000+00:00"


def test_json_of_anything() -> None:
    """It is strict JSON: no NaN, no half characters in names."""
    text = as_json(nasty()).decode()
    content = json.loads(text, parse_constant=pytest.fail)
    assert content["runs"][0]["notebook"].endswith("\\xff.ipynb")


def test_junit() -> None:
    """One case for each run: a cell's error is a failure, another bad end an error, no turn is skipped."""
    suites = ET.fromstring(as_junit(every_kind()))
    [suite] = suites
    assert suites.tag == "testsuites"
    kinds = {case.attrib["name"]: [child.tag for child in case][:-1] for case in suite}
    assert kinds["ok.ipynb"] == kinds["unchanged.ipynb"] == []
    assert kinds["error.ipynb"] == ["failure"]
    assert kinds["not run.ipynb"] == ["skipped"]
    assert all(
        kinds[f"{name}.ipynb"] == ["error"] for name in ("timeout", "memory", "lost", "refused", "cancelled")
    )
    counted = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "11", "failures": "1", "errors": "7", "skipped": "1"}
    assert {case.attrib["classname"] for case in suite} == {"folder"}
    assert suite.attrib["timestamp"] == "2026-11-26T07:00:00"


def test_junit_of_anything() -> None:
    """It is XML whatever the sentences and names hold, and holds them as text."""
    [suite] = ET.fromstring(as_junit(nasty()))
    assert len(suite) == 2
    message = suite[0][0].attrib["message"]
    assert "</testcase>]]>&\"'<script>" in message
    assert "\\xff.ipynb" in suite[0].attrib["name"]


class Seen(html.parser.HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page() -> None:
    """Every run has its place, with its status, a bar for its time, and a link to its result."""
    seen = Seen(as_page(every_kind(), PAGE))
    statuses = [value for tag, name, value in seen.attributes if (tag, name) == ("section", "class")]
    assert [value.split()[-1] for value in statuses] == [
        "ok", "error", "timeout", "memory", "limit", "cancelled", "died", "lost",
        "unchanged", "refused", "not-run",
    ]  # fmt: skip
    links = [value for tag, name, value in seen.attributes if (tag, name) == ("a", "href")]
    assert "./../out/folder/ok.ipynb--" in links
    assert "11 notebook runs, 9 not ok" in seen.text
    assert "Stopped early: Enough." in seen.text
    assert "0.5 s CPU, 80 MiB" in seen.text
    assert "artifacts (1)" in seen.text
    assert "./../art/lost" in links


def test_statuses_differ_in_sign_and_colour() -> None:
    """No two of them are told apart by their colour alone, nor by their sign alone."""
    every = [str(status) for status in (*Outcome, *Left)]
    assert len({MARKS[status] for status in every}) == len(every)
    style = files(reports).joinpath("page.css").read_text()
    colours = dict(re.findall(r"\.([\w-]+) { --of: var\((--\w+)\); }", style))
    shown = [status.replace(" ", "-") for status in every if status != Outcome.RUNNING]
    values = [re.findall(rf"{colours[status]}: (#\w+);", style) for status in shown]
    assert len({light for light, _ in values}) == len({dark for _, dark in values}) == len(shown)
    assert f"{MARKS[Outcome.DIED]} died" in " ".join(Seen(as_page(every_kind(), PAGE)).text.split())


def test_page_of_anything() -> None:
    """Nothing that a notebook or its author wrote becomes markup, an address, or a style."""
    seen = Seen(as_page(nasty(), PAGE))
    assert "script" not in seen.tags
    assert seen.tags.count("img") == 1
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"]
    addresses = [value for _, name, value in seen.attributes if name in ("href", "src")]
    assert {address.split("%")[0][:11] for address in addresses} == {
        "#run-1",
        "#run-2",
        "./../out/ja",
        "./../n/java",
        "./../out/b.",
        "./../n/b.ip",
        "data:image/",
    }
    assert "<script>alert(1)</script>" in seen.text
    assert not set(seen.text) & {"\x00", "\x08", "\x1b", "\ud800", "\u202e"}


def test_page_may_do_nothing() -> None:
    """The page itself forbids scripts and the network, and allows its one style sheet."""
    seen = Seen(as_page(every_kind(), PAGE))
    [policy] = [
        value for tag, name, value in seen.attributes if tag == "meta" and value.startswith("default-src")
    ]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not {"script", "link", "iframe", "object", "base", "form"} & {*seen.tags}
