"""What a run tells its watcher while it goes on."""

from dataclasses import dataclass

from nbformat import NotebookNode

from sandbox_kernel.notebooks.result import Outcome


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell of a run."""

    index: int
    """Position among all cells of the notebook, from 0."""
    number: int
    """Position among the code cells that are run, from 1; the `n` of `In [n]`."""
    total: int
    """How many code cells are run."""
    source: str


class Progress:
    """A watcher that ignores everything; override what you want to see.

    All methods are called from the run's event loop and should return soon. What they raise
    ends the run.
    """

    def kernel_starting(self, name: str) -> None:
        """The kernel `name` has been asked for."""

    def kernel_ready(self, seconds: float, wall: str | None) -> None:
        """The kernel answered, `seconds` after it was asked for; `wall` says what stands around it."""

    def cell_started(self, cell: Cell) -> None:
        """The cell's code is about to be sent."""

    def cell_output(self, cell: Cell, output: NotebookNode) -> None:
        """The cell has produced `output`, an nbformat output. Its content is the kernel's: hostile."""

    def cell_finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        """The cell is over; `outcome` is `error` also where errors are allowed."""

    def cell_lost(self, cell: Cell, what: str) -> None:
        """Some of the cell's output was over a limit; `what`, a phrase of ours, says how much, and which."""

    def warned(self, sentence: str) -> None:
        """Something is probably not as it was meant: a parameter, an artifact, the sandbox that has ended."""
