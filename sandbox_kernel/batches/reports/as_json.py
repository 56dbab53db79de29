"""A batch as JSON."""

import json
from typing import Any

from sandbox_kernel import __version__
from sandbox_kernel.batches.record import Record, Summary
from sandbox_kernel.batches.reports.words import readable
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.notebooks.parameters.literals import plain
from sandbox_kernel.notebooks.result import moment


def as_json(summary: Summary) -> bytes:
    """Return everything but the figures, as indented JSON."""
    content = {
        "format": 1,
        "version": __version__,
        "started": moment(summary.started),
        "duration_seconds": round(summary.duration, 3),
        "exit_code": int(summary.exit_code),
        "stopped": summary.stopped,
        "jobs_at_once": summary.at_once,
        "counts": summary.counts(),
        "runs": [_run(record) for record in summary.records],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "replace")  # half characters, which no reader takes


def _run(record: Record) -> dict[str, Any]:
    job = record.job
    return {
        "notebook": readable(job.notebook),
        "label": job.label,
        "parameters": plain(job.parameters),
        "output": readable(job.output),
        "status": str(record.status),
        "message": record.sentence,
        "exit_code": int(record.exit_code),
        "cell": record.cell,
        "cells_run": record.cells_run,
        "cells_total": record.cells,
        "started": moment(record.started) if record.started else None,
        "duration_seconds": round(record.duration, 3),
        "cpu_seconds": record.cpu_seconds,
        "peak_memory_bytes": record.peak_memory,
        "artifacts": [artifact.to_json() for artifact in record.artifacts],
        "artifacts_in": readable(record.artifacts_in) if record.artifacts_in else None,
        "attempts": len(record.failures) + isinstance(record.status, Outcome),
        "earlier_failures": list(record.failures),
    }
