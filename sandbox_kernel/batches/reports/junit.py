"""A batch as JUnit's XML, in the form that pytest writes: what CI systems show."""

from xml.etree.ElementTree import Element, SubElement, tostring

from sandbox_kernel.batches.record import Left, Record, Summary
from sandbox_kernel.batches.reports.words import for_xml, one_line, readable
from sandbox_kernel.notebooks import Outcome


def as_junit(summary: Summary) -> bytes:
    """Return one test case for each run: a cell that raised is a failure, every other bad end an error.

    What was not run is skipped; what an earlier batch has done is a test that passed.
    """
    kinds = [_kind(record) for record in summary.records]
    suites = Element("testsuites", name="sandbox-kernel")
    suite = SubElement(
        suites,
        "testsuite",
        name="sandbox-kernel",
        tests=str(len(kinds)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=f"{summary.duration:.3f}",
        timestamp=summary.started.replace(tzinfo=None).isoformat(timespec="seconds"),
    )
    for record, kind in zip(summary.records, kinds, strict=True):
        _add_case(suite, record, kind)
    text: str = tostring(suites, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n".encode()


def _kind(record: Record) -> str | None:
    if record.good:
        return None
    if record.status is Outcome.ERROR:
        return "failure"
    return "skipped" if record.status is Left.NOT_RUN else "error"


def _add_case(suite: Element, record: Record, kind: str | None) -> None:
    job = record.job
    folders = ".".join(part for part in job.notebook.parent.parts if part not in ("/", ".", ".."))
    name = f"{job.notebook.name}[{job.label}]" if job.label else job.notebook.name
    case = SubElement(
        suite,
        "testcase",
        classname=_clean(folders or "notebooks"),
        name=_clean(name),
        time=f"{record.duration:.3f}",
    )
    if kind is not None:
        told = _clean(record.sentence)
        details = {"message": told} if kind == "skipped" else {"message": told, "type": str(record.status)}
        SubElement(case, kind, details).text = told
    SubElement(case, "system-out").text = _clean(f"{record.status}: {job.output}")


def _clean(text: str) -> str:
    return for_xml(one_line(readable(text)))
