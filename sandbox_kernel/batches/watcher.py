"""What a batch tells its watcher while it goes on."""

from sandbox_kernel.batches.plan import Job
from sandbox_kernel.batches.record import Record
from sandbox_kernel.notebooks import Cell, Progress


class Watcher:
    """A watcher that ignores everything; override what you want to see.

    All methods are called from the batch's event loop and should return soon. What they raise ends the batch.
    """

    def begun(self, job: Job) -> None:
        """The notebook is about to run; also before each further attempt."""

    def cell_started(self, job: Job, cell: Cell) -> None:
        """A cell of it is about to run."""

    def warned(self, job: Job, sentence: str) -> None:
        """Something about its sandbox, or its output, was not as it should be."""

    def retrying(self, job: Job, sentence: str, seconds: float) -> None:
        """It came to nothing, as `sentence` says, and is tried again after so many seconds."""

    def ended(self, record: Record) -> None:
        """It is over."""


class Forwarding(Progress):
    """Tells the watcher of a batch what one of its runs tells."""

    def __init__(self, job: Job, watcher: Watcher) -> None:
        self._job = job
        self._watcher = watcher

    def cell_started(self, cell: Cell) -> None:
        """Pass it on."""
        self._watcher.cell_started(self._job, cell)

    def cell_lost(self, cell: Cell, what: str) -> None:
        """Pass it on."""
        self._watcher.warned(self._job, f"cell {cell.number}: {what}")

    def warned(self, sentence: str) -> None:
        """Pass it on."""
        self._watcher.warned(self._job, sentence)
