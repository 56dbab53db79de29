"""What an earlier batch has done already, and what of it holds.

There is no list of what is done that could be torn or out of date: every result says itself what it was
made of, and is there whole or not at all. So a batch may be killed at any moment; what it had finished is
found again, and what it was at is run anew.
"""

import stat
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from sandbox_kernel.batches.figures import Album
from sandbox_kernel.batches.fingerprint import BATCH_KEY, Fingerprint
from sandbox_kernel.batches.naming import digest
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.batches.record import Left, Record
from sandbox_kernel.batches.sources import read_content
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import Outcome, read_notebook
from sandbox_kernel.notebooks.document import RUN_KEY
from sandbox_kernel.policy import Policy


def within_reach(jobs: Iterable[Job], policy: Policy) -> Path | None:
    """Return a folder of results that the notebooks' code may write to, if there is one.

    There, whoever runs first may leave a result for whoever is to run: all that one says of itself can be
    known, and forged.
    """
    jobs = tuple(jobs)
    writable = {job.directory for job in jobs} if policy.workspace == "rw" else set()
    writable |= {mount.path.resolve() for mount in policy.granted_mounts() if mount.mode == "rw"}
    places = {job.output.parent for job in jobs}
    return next((place for place in sorted(places) if not writable.isdisjoint((place, *place.parents))), None)


def still_good(
    jobs: Sequence[Job], conditions: Mapping[str, Any], album: Album | None = None
) -> list[Record]:
    """Return a record of each job whose result is there, ended well, and would be made of the same again."""
    notebooks: dict[object, str | None] = {}
    records = []
    for job in jobs:
        if job.real not in notebooks:
            notebooks[job.real] = _digest(job)
        notebook, result = notebooks[job.real], _result(job)
        if notebook is None or result is None:
            continue
        if _holds(result, Fingerprint.of(job, notebook, conditions)):
            records.append(_record(job, result, album))
    return records


def _digest(job: Job) -> str | None:
    """Return the digest of a notebook, and hold nothing else of it: there may be thousands."""
    try:
        return digest(read_content(job))
    except NotebookError:  # told when its turn comes
        return None


def _result(job: Job) -> NotebookNode | None:
    """Return the notebook at the place of the job's result, where there is one."""
    try:
        if not stat.S_ISREG(job.output.lstat().st_mode) or job.output.parent.resolve() != job.output.parent:
            return None
        return read_notebook(job.output)
    except (OSError, NotebookError):
        return None


def _holds(result: NotebookNode, fingerprint: Fingerprint) -> bool:
    run = result.metadata.get(RUN_KEY)
    good = isinstance(run, Mapping) and run.get("outcome") == Outcome.OK
    return good and not fingerprint.differences(result.metadata.get(BATCH_KEY))


def _record(job: Job, result: NotebookNode, album: Album | None) -> Record:
    run = result.metadata[RUN_KEY]
    figures, left_out = album.take(result) if album else ((), 0)
    return Record(
        job=job,
        status=Left.UNCHANGED,
        sentence="An earlier batch ran it, and nothing has changed.",
        cells_run=_number(run.get("cells_run")),
        cells=_number(run.get("cells")),
        started=_moment(run.get("started")),
        duration=float(_number(run.get("duration"))),
        figures=figures,
        figures_left_out=left_out,
    )


def _number(value: object) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
