"""A batch as a value: which notebooks run, each with what, and where each result goes."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.errors import NotebookError

MAX_JOBS: Final = 20_000
"""Runs of one batch: a folder that holds more of them than this was not meant, or should be split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: a notebook with its parameters, and the place of its result."""

    notebook: Path
    """As the user knows it."""
    real: Path
    """The same without links, as it was found when the batch was planned."""
    output: Path
    """Without links in the names of its folders."""
    directory: Path
    """Where the kernel starts."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds for the whole notebook; None: no deadline of its own."""
    label: str = ""
    """What tells it from other runs of its notebook: `year=2023`."""
    group: str = ""
    """The name by which its notebook was found; runs of different ones take turns."""
    where: str = ""
    """The entry of a manifest that it comes from."""

    @property
    def name(self) -> str:
        """What people call it: `report.ipynb [year=2023]`."""
        return f"{self.notebook} [{self.label}]" if self.label else str(self.notebook)


def refuse_duplicates(jobs: Iterable[Job]) -> None:
    """Refuse a plan in which one result would replace another, or a notebook that is run.

    :raises NotebookError: there are two such runs.
    """
    taken: dict[Path, Job] = {}
    jobs = list(jobs)
    for job in jobs:
        other = taken.setdefault(job.output, job)
        if other is not job:
            raise NotebookError(
                f"{_told(other)} and {_told(job)} would both be saved as {job.output}; "
                "leave one of them out, or give them an output each in a manifest."
            )
    for job in jobs:
        if job.real in taken:
            raise NotebookError(
                f"the result of {_told(taken[job.real])} would replace the notebook {job.notebook}; "
                "name another folder with -o."
            )


def _told(job: Job) -> str:
    return f"{job.name} ({job.where})" if job.where else job.name


def in_turns(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs in a fair order: one of each group in turn, and in it one of each notebook."""
    return _turns(
        _turns(_groups(group, lambda job: job.real)) for group in _groups(jobs, lambda job: job.group)
    )


def _groups(jobs: Iterable[Job], key: Any) -> Iterator[list[Job]]:
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    yield from groups.values()


def _turns(rows: Iterable[Sequence[Job]]) -> list[Job]:
    return [job for column in zip_longest(*rows) for job in column if job is not None]
