"""Where others join the guard: filters change what clients get, an observer hears what happened.

Both run in the tunnel's thread, once for each message, so they must be quick, must not block,
and must not raise: whatever they are given came out of a sandbox.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from sandbox_kernel.host.ledger import Request
from sandbox_kernel.host.parts import Json

Filter: TypeAlias = Callable[[str, Json], Json]
"""Takes a message's type and its content, already of the right shape; returns the content that clients get.

It must not change what it is given: it returns the same object to say that nothing is to be
changed, else a new one. All that leaves a sandbox for a client passes: output, replies,
questions. Filters are called in their order.
"""


class Cell(Struct, frozen=True):
    """How one execute request ended."""

    request: Request
    status: str
    """Of its reply, the kernel's or the guard's own: "ok", "error", "aborted"."""
    shown: int = 0
    """Bytes of its messages that clients were sent."""
    dropped: int = 0
    """Bytes of its messages that were over its budget."""


class Observer:
    """Hears what happens; override what is of interest."""

    def cell_asked(self, request: Request, code: str) -> None:
        """A client's cell is on its way to the kernel."""

    def cell_ended(self, cell: Cell) -> None:
        """A cell was answered, by the kernel or for it."""

    def output_ended(self, msg_id: str, shown: int, dropped: int) -> None:
        """All that a client's message led to was published; a cell's reply overtakes its output, so later.

        The bytes are those of all output since the last such end, as they were charged.
        """

    def refused(self, what: str) -> None:
        """The kernel broke a rule; what it sent was dropped."""
