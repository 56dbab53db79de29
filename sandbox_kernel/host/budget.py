"""How much a cell may send out, and what became of the rest.

One account serves the request that is running: all that the kernel publishes meanwhile is
charged to it, whatever parent header the message claims, so that no choice of header opens
a second account. The idle that ends a client's message opens the next one, once for each.
"""

from dataclasses import dataclass

OVERHEAD = 512
"""Bytes charged for each message beside its own: what its header costs a client to hold."""


@dataclass(slots=True)
class Budget:
    """The account of the running request."""

    limit: int
    spent: int = 0
    dropped: int = 0
    """Bytes that were refused since the account was opened."""
    noticed: bool = False

    def open(self) -> None:
        """Begin a new account."""
        self.spent = self.dropped = 0
        self.noticed = False

    @property
    def closed(self) -> bool:
        """Whether nothing passes any more until the next request."""
        return self.dropped > 0

    def charge(self, size: int) -> bool:
        """Return whether a message of that size may pass, and book it.

        Once over the limit the account stays closed: a cell's output has one end, not holes.
        """
        cost = size + OVERHEAD
        if self.dropped or self.spent + cost > self.limit:
            self.dropped += cost
            return False
        self.spent += cost
        return True

    def notice_due(self) -> bool:
        """Return True once per account, at its first refusal."""
        due = bool(self.dropped) and not self.noticed
        self.noticed = self.noticed or due
        return due
