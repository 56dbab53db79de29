"""What a kernel's provisioner says of it.

It alone stands outside the wall and knows. The plug is never imported here, and any other
provisioner may say nothing of all this: whatever is missing reads as not known.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What a sandbox has used; None where nobody has counted."""

    cpu_seconds: float | None = None
    peak_memory: int | None = None
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Death:
    """Why the kernel is gone, as far as its provisioner knows."""

    sentence: str
    kind: str
    """In the provisioner's words; see `Ending.from_kind`."""


class Witness:
    """One provisioner's word, as it is when it is asked for."""

    def __init__(self, provisioner: object) -> None:
        """Take a provisioner; None: there is none, and nothing is known."""
        self._provisioner = provisioner

    def __repr__(self) -> str:
        return f"<Witness {self._provisioner!r}>"

    @property
    def policy(self) -> object:
        """What the kernel is allowed; None where nothing is said."""
        return getattr(self._provisioner, "policy", None)

    @property
    def wall(self) -> str | None:
        """What stands around the kernel; None where there is no wall."""
        wall = getattr(self._provisioner, "wall", None)
        return None if wall is None else str(wall)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the results come from; empty where nothing is said."""
        return dict(getattr(self._provisioner, "provenance", None) or {})

    @property
    def usage(self) -> Usage:
        """What the sandbox has used: a provisioner has zeros for what nobody counts."""
        used = getattr(self._provisioner, "usage", None)
        seconds, memory = getattr(used, "cpu_seconds", 0), getattr(used, "memory_bytes", 0)
        return Usage(round(float(seconds), 3) or None, int(memory) or None)

    @property
    def death(self) -> Death | None:
        """Why the kernel is gone; None while it lives, and where nothing is said."""
        death = getattr(self._provisioner, "death", None)
        return None if death is None else Death(str(death.sentence), str(death.kind))

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """Kind and sentence of each end that a guard put to a cell, at a deadline or a limit."""
        return [(kind, sentence) for kind, sentence in self._notices() if kind in ("deadline", "limit")]

    @property
    def losses(self) -> list[str]:
        """Phrases on each cell of whose output a guard dropped something; empty without a guard."""
        return [sentence for kind, sentence in self._notices() if kind == "output"]

    @property
    def warnings(self) -> list[str]:
        """What the user should know of the sandbox, beside what became of its cells."""
        return [sentence for kind, sentence in self._notices() if kind == "audit"]

    def _notices(self) -> list[tuple[str, str]]:
        notices = getattr(self._provisioner, "notices", ())
        return [(str(notice.kind), str(notice.sentence)) for notice in notices]
