"""How much a cell may send out, and what became of the rest.

One account serves the cell that is running: all that the kernel publishes meanwhile is
charged to it, whatever parent header the message claims, so that no choice of header opens
a second account. Its end opens the next one. The rate is kept over all accounts.

Beside the policy's limits one thing closes an account: a client that does not read. What it
has not read waits in this process, and may be no more than one cell's output.
"""

from collections.abc import Callable

from msgspec import Struct, field

from sandbox_kernel.policy import Policy, format_size

OVERHEAD = 512
"""Bytes charged for each message beside its own: what its header costs a client to hold."""

CONTAINER = 256
"""Bytes charged for each array and object of an output: its sender wrote three, and a client that keeps it
(a notebook's outputs) has some hundreds for it, for as long as there are outputs."""

USUAL = 8
"""Arrays and objects that an output has anyway, and is not charged for."""

BURST = 10.0
"""Seconds over which the rate is an average: a plot or a table may come at once."""

UNREAD = 16 << 20
"""Bytes that may wait for a client beside one cell's output: the end of the cell before, say."""


class Budget(Struct):
    """The account of the running cell."""

    policy: Policy
    now: Callable[[], float]
    shown: int = 0
    """Bytes that passed since the account was opened."""
    messages: int = 0
    held: int = 0
    """Bytes that clients hold for the arrays and objects in what passed, beside its own."""
    dropped: int = 0
    """Bytes that were refused since the account was opened."""
    dropped_messages: int = 0
    unread: int = 0
    """Bytes that some client has not read yet; whoever sends keeps it up to date."""
    _closed: str = ""
    _told: set[str] = field(default_factory=set)
    _outputs: int = 0
    _kind: str = ""
    _tokens: float = 0.0
    _filled_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin with a full burst."""
        self._tokens = (self.policy.output_rate or 0) * BURST
        self._filled_at = self.now()

    def open(self) -> None:
        """Begin a new account."""
        self.shown = self.messages = self.held = self.dropped = self.dropped_messages = self._outputs = 0
        self._closed = self._kind = ""
        self._told.clear()

    @property
    def closed(self) -> bool:
        """Whether nothing passes any more until the next account."""
        return bool(self._closed)

    def charge(self, size: int, overhead: int = OVERHEAD) -> bool:
        """Return whether a message of that size may pass, and book it.

        Once over a limit the account stays closed: a cell's output has one end, not holes.

        :param overhead: what it costs beside its own bytes; nothing, where these alone are kept.
        """
        cost = size + overhead
        self._closed = self._closed or self._over(cost)
        if self._closed:
            self.drop(cost)
            return False
        self.shown += cost
        self.messages += 1
        self._tokens -= cost
        return True

    def hold(self, containers: int) -> None:
        """Book what clients have to hold of a message that passes, beside its bytes."""
        self.held += CONTAINER * max(0, containers - USUAL)

    def _over(self, cost: int) -> str:
        """Return in words which limit such a message would break, "" if it breaks none."""
        policy = self.policy
        if self.shown + cost > policy.output:
            return f"the policy of this kernel allows a cell {format_size(policy.output)} ('output')"
        if self.shown + self.held + cost > policy.output:
            held, allowed = format_size(self.held), format_size(policy.output)
            return (
                f"the lists and mappings in it take {held} of memory to hold, and the policy of this kernel "
                f"allows a cell {allowed} ('output')"
            )
        if policy.output_rate is not None and self._refilled(policy.output_rate) < cost:
            rate = format_size(policy.output_rate)
            return f"the policy of this kernel allows {rate} per second on average ('output_rate')"
        if self.unread + cost > policy.output + UNREAD:
            return f"{format_size(self.unread)} wait for a client of this kernel that does not read them"
        return ""

    def _refilled(self, rate: int) -> float:
        now = self.now()
        self._tokens = min(rate * BURST, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        return self._tokens

    def drop(self, size: int) -> None:
        """Book a message that does not pass."""
        self.dropped += size
        self.dropped_messages += 1

    def add_output(self, kind: str) -> bool:
        """Return whether the cell may have one more output of that kind, and count it.

        Text after text of the same stream is one output, as it is in a notebook.
        """
        if kind == self._kind and kind in ("stdout", "stderr"):
            return True
        self._kind = kind
        self._outputs += 1
        if self._outputs > self.policy.outputs:
            self._closed = (
                f"the policy of this kernel allows a cell {self.policy.outputs} outputs ('outputs')"
            )
        return not self._closed

    def clear_outputs(self) -> None:
        """Note that the cell has removed its outputs from the page."""
        self._outputs, self._kind = 0, ""

    def notice(self) -> str | None:
        """Return the sentence on the end of the output; once per account, at its first refusal."""
        shown = f"{format_size(self.shown)} in {self.messages} messages" if self.shown else "nothing"
        return self.tell(
            "end",
            f"The output of this cell ends here, after {shown}: {self._closed}. "
            "The cell goes on; what else it puts out is dropped.",
        )

    def tell(self, what: str, sentence: str) -> str | None:
        """Return the sentence if nothing was said on this yet in this account."""
        if what in self._told:
            return None
        self._told.add(what)
        return sentence

    def loss(self) -> str:
        """Return what was dropped, and for which limit, for who does not see the output."""
        why = f": {self._closed}" if self._closed else ""
        return f"{format_size(self.dropped)} of output dropped{why}"

    def summary(self) -> str | None:
        """Return the sentence on what the cell has lost, None if it has lost nothing."""
        if not self.dropped:
            return None
        plural = "s" * (self.dropped_messages != 1)
        return f"Dropped: {format_size(self.dropped)} in {self.dropped_messages} message{plural}."
