"""What is said of a plan before it begins: a screenful, whatever a stranger's folder holds."""

from typing import Final

MAX_REMARKS: Final = 20
"""Sentences: they fit on a screen. A folder may hold a million links, each worth one."""


class Remarks:
    """Takes sentences, and keeps the first ones; `told` says how many more there were."""

    def __init__(self) -> None:
        self._kept: dict[str, None] = {}
        self._more = 0

    def add(self, sentence: str) -> None:
        """Take a sentence; one that is kept already says nothing new."""
        if len(self._kept) < MAX_REMARKS:
            self._kept[sentence] = None
        elif sentence not in self._kept:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """Return what is to be said."""
        more = (f"… and {self._more} more that are left out, or hold nothing to run.",) if self._more else ()
        return (*self._kept, *more)
