"""What is written down, as an administrator or user sets it; kernelspecs have no say in it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.host.audit.log import default_path
from sandbox_kernel.policy import MiB, format_size, refuse_unknown, spelled
from sandbox_kernel.policy.fields import Choice, Whole
from sandbox_kernel.policy.units import UnusableError

AUDIT_NAMES: Final = ("audit", "audit_code", "audit_log", "audit_size")
"""All names that such a setting may have."""

_MODE: Final = Choice(("on", "off", "required"))
_SIZE: Final = Whole(1 * MiB, "a long line with code in it must fit", 1 << 40)


class AuditSettings(Struct, frozen=True, kw_only=True):
    """What is written down, and where."""

    mode: Literal["on", "off", "required"] = "off"
    """ "on": as far as the disk allows, with a warning where it does not; "required": or nothing runs."""
    code: bool = False
    """Whether the code of cells is kept, and not its hash alone."""
    path: Path | None = None
    size: int = 64 * MiB
    """Bytes of the log and its predecessors: a hundred thousand cells and more."""

    @property
    def place(self) -> Path:
        """Where the log is."""
        return self.path or default_path()

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], *, source: str = "{field}") -> "AuditSettings":
        """Return what these settings say; what they do not say is the default: on, without code.

        :raises PolicyError: a name is not known, or a value not usable.
        """
        refuse_unknown(settings, AUDIT_NAMES, source)
        values: dict[str, Any] = {"mode": "on"}
        for name, written in settings.items():
            try:
                values[_FIELDS[name]] = _READERS[name](written)
            except UnusableError as refusal:
                raise PolicyError(f"{spelled(source, name)}: {written!r:.80} {refusal}.") from None
        return cls(**values)

    def __str__(self) -> str:
        return f"{self.mode}, {self.place}, {format_size(self.size)}"


def _code(written: object) -> bool:
    meant = {"true": True, "false": False}.get(str(written).lower())
    if meant is None:
        raise UnusableError("is neither true nor false")
    return meant


def _path(written: object) -> Path:
    path = os.path.expanduser(written) if isinstance(written, str | Path) else ""  # noqa: PTH111
    if not path.startswith("/") or "\0" in path:
        raise UnusableError("is not an absolute path")
    return Path(path)


_FIELDS: Final = {"audit": "mode", "audit_code": "code", "audit_log": "path", "audit_size": "size"}
_READERS: Final = {"audit": _MODE.read, "audit_code": _code, "audit_log": _path, "audit_size": _SIZE.read}
