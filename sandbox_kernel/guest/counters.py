"""What the sandbox's own control group has counted, where it is visible inside (containers).

The host reads control groups itself where it can. A daemon's, on another machine at worst, it
cannot; and `OOMKilled`, the daemon's own word, is true for a container whose kernel lives on.
"""

from __future__ import annotations

import os

from sandbox_kernel.wire import Counters
from sandbox_kernel.wire.named import suppress

_ROOT = "/sys/fs/cgroup"
_PLACES = {  # counter: (file, name of the line or "" for a bare number), for version 2 and for version 1
    "memory_bytes": (("memory.peak", ""), ("memory/memory.max_usage_in_bytes", "")),
    "oom_kills": (("memory.events", "oom_kill"), ("memory/memory.oom_control", "oom_kill")),
    "pids_refused": (("pids.events", "max"), ("pids/pids.events", "max")),
}
_MOST_BYTES = 4096  # these files have a few lines


class Group:
    """The counters that are there, and what they said last."""

    def __init__(self, root: str = _ROOT) -> None:
        self._files = {
            counter: (f"{root}/{file}", line)
            for counter, places in _PLACES.items()
            for file, line in reversed(places)  # version 2 has the last word
            if os.path.exists(f"{root}/{file}")
        }
        self._last = (0, 0)

    def __repr__(self) -> str:
        return f"<Group {', '.join(self._files) or 'of nothing'}>"

    def grown(self) -> Counters | None:
        """Return the counters if something was killed or refused since they were last returned."""
        counters = self.read()
        news = (counters.oom_kills, counters.pids_refused)
        if news == self._last:
            return None
        self._last = news
        return counters

    def read(self) -> Counters:
        """Return all counters; what cannot be read is 0."""
        values = {counter: _number(*place) for counter, place in self._files.items()}
        return Counters(**{counter: values.get(counter, 0) for counter in _PLACES})


def _number(path: str, line: str) -> int:
    with suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        for words in map(str.split, file.read(_MOST_BYTES).splitlines()):
            if not line or words[0] == line:
                return max(0, int(words[-1]))
    return 0
