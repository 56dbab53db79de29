"""What a kernel's process says beside its messages, on its way to the host's log: masked, and bounded."""

from collections import deque
from collections.abc import Callable

from sandbox_kernel.host.secrets import Masks, Tail

MAX_LOG = 1 << 20
"""Characters of a kernel's log that reach the host's: tracebacks, not a disk's worth of noise."""

A_LINE = 100
"""Characters that a piece costs beside its own: each is a line of the host's log, with words before them."""

LAST_WORDS = 200
"""Pieces of it that are kept to say why a kernel did not start."""


class KernelLog:
    """One launch's log."""

    def __init__(self, tell: Callable[[str], None], masks: Masks) -> None:
        """Pass on to `tell` what may be."""
        self._tell = tell
        self._end = Tail(masks) if masks else None
        self._told = 0
        self._last: deque[str] = deque(maxlen=LAST_WORDS)

    def hand_over(self, tell: Callable[[str], None]) -> None:
        """Pass on to somebody else from now on; what was said before is told first."""
        self._tell = tell
        if said := "".join(self._last)[-MAX_LOG:]:
            tell(said)

    def note(self, text: str) -> None:
        """Take a piece."""
        self._pass_on(self._end.feed(text) if self._end else text)

    def last_words(self) -> str:
        """Return the end of it, when there is no more."""
        if self._end and (rest := self._end.rest()):
            self._pass_on(rest)
        return "".join(self._last)

    def _pass_on(self, text: str) -> None:
        self._last.append(text)
        if self._told < MAX_LOG:
            self._told += len(text) + A_LINE
            over = "" if self._told < MAX_LOG else "[the rest of the kernel's log is not kept]\n"
            self._tell(text + over)
