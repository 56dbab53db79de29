"""Results for programs: JSON, and the XML that continuous integration reads.

Names, causes and reasons hold text that submissions have chosen: here it is escaped, and what XML has no
way to write (control characters, half characters) becomes a replacement character.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from sandbox_kernel.checks.suite import Suite
from sandbox_kernel.checks.verdicts import Graded, Verdict

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_json(suite: Suite, results: Sequence[Graded]) -> str:
    """Return all results, with every verdict, as JSON in ASCII."""
    content = {
        "checks": suite.source,
        "title": suite.title,
        "passed": all(result.passed for result in results),
        "submissions": [_as_json(result) for result in results],
    }
    return json.dumps(content, indent=2) + "\n"


def _as_json(result: Graded) -> dict[str, Any]:
    return {
        "submission": result.submission,
        "passed": result.passed,
        "points": result.points,
        "max_points": result.most,
        "outcome": str(result.outcome),
        "cause": result.cause,
        "was_run": result.was_run,
        "duration_seconds": round(result.duration, 3),
        "checks": [_verdict_as_json(verdict) for verdict in result.verdicts],
    }


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    fields = asdict(verdict)
    return {"max_points" if name == "most" else name: value for name, value in fields.items()}


def to_junit(suite: Suite, results: Sequence[Graded]) -> str:
    """Return all results as JUnit XML: a suite for each submission, a case for each check.

    What was not met is a failure; what could not be run here is an error.
    """
    root = Element("testsuites", name=_xml(suite.title or suite.source))
    for result in results:
        root.append(_suite_element(result))
    text: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite_element(result: Graded) -> Element:
    failed = sum(not verdict.passed for verdict in result.verdicts)
    element = Element(
        "testsuite",
        name=_xml(result.submission),
        tests=str(len(result.verdicts)),
        failures=str(failed if result.was_run else 0),
        errors=str(0 if result.was_run else failed),
        time=f"{result.duration:.3f}",
    )
    for verdict in result.verdicts:
        case = SubElement(
            element, "testcase", classname=_xml(result.submission), name=_xml(verdict.name), time="0"
        )
        if not verdict.passed:
            told = _xml(said(verdict))
            kind = "failure" if result.was_run else "error"
            SubElement(case, kind, message=told, type=verdict.kind).text = told
    SubElement(element, "system-out").text = _xml(f"{result.outcome}: {result.cause}")
    return element


def said(verdict: Verdict) -> str:
    """Return what a student is told: the teacher's words, if there are any, and the reason."""
    return f"{verdict.message} ({verdict.reason})" if verdict.message else verdict.reason


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
