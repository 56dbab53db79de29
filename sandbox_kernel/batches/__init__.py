"""Many notebooks in one command: planned, run so many at once, resumed, reported on.

What is asked for (`manifest`, `search`) becomes a plan (`planning`, `plan`, `naming`); the plan is run
(`batch`, `attempt`, `retries`) where no earlier batch has done it already (`resume`, `fingerprint`); what
became of it (`record`) is written down (`reports`). An ordinary Jupyter client, as `notebooks` is.
"""

from sandbox_kernel.batches.attempt import Notebooks
from sandbox_kernel.batches.batch import Batch, Rules
from sandbox_kernel.batches.manifest import Entry, read_manifest
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.batches.planning import Plan, Wanted, make_plan
from sandbox_kernel.batches.record import Left, Record, Summary
from sandbox_kernel.batches.retries import Retries
from sandbox_kernel.batches.watcher import Watcher

__all__ = [
    "Batch",
    "Entry",
    "Job",
    "Left",
    "Notebooks",
    "Plan",
    "Record",
    "Retries",
    "Rules",
    "Summary",
    "Wanted",
    "Watcher",
    "make_plan",
    "read_manifest",
]
