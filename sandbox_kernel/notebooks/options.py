"""How a notebook is run, and how much of its time is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from sandbox_kernel.policy import Policy

DEFAULT_KERNEL = "sandboxed-python"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a notebook is run; times in seconds, None for no deadline."""

    kernel: str = DEFAULT_KERNEL
    sandboxed: bool = False
    """Start it in a sandbox also where its kernelspec names no way to start, and refuse any other way."""
    directory: Path = field(default_factory=Path.cwd)
    """Where the kernel starts."""
    script: Path | None = None
    """The script that the notebook was made of: what its code finds as `__file__`."""
    arguments: tuple[str, ...] = ()
    """The script's: what its code finds in `sys.argv[1:]`. A notebook has none."""
    cell_timeout: float | None = None
    timeout: float | None = None
    """For the whole run, the kernel's start included."""
    session_timeout: float | None = None
    """For the kernel's life, which a guard may bound as well; counted from the same moment."""
    start_timeout: float = 60.0
    allow_errors: bool = False
    policy: Policy | Mapping[str, object] | None = None
    """What this run's kernel may do, as settings or whole: {"profile": "strict", "memory": "512m", "mounts":
    ["/data:ro"]}. It counts for this run alone, and nothing else does but an administrator's maxima. None:
    SANDBOX_KERNEL_* variables, Jupyter's configuration and the kernelspec decide."""
    artifacts: Path | None = None
    """The folder, or the file named .zip, for what the code leaves in $SANDBOX_ARTIFACTS; None: there is
    no such variable."""


class Clock:
    """The time of one run, from its beginning on."""

    def __init__(self, options: RunOptions) -> None:
        """Start."""
        self.started = datetime.now(UTC)
        self._began = monotonic()
        self._ended: float | None = None
        self._options = options

    def __repr__(self) -> str:
        return f"<Clock since {self.started.isoformat(timespec='seconds')}>"

    @property
    def seconds(self) -> float:
        """The seconds that it has run."""
        return (self._ended or monotonic()) - self._began

    def stop(self) -> None:
        """Note that the last cell has ended: what is done after it takes none of the run's time."""
        self._ended = monotonic()

    def next_deadline(self) -> tuple[float | None, str]:
        """Return the seconds that a cell has from now on, and how to begin to say that they have passed."""
        cell, left = self._options.cell_timeout, self.left()
        if left is not None and (cell is None or left <= cell):
            return left, self.whole()[1]
        return (None, "") if cell is None else (cell, f"The cell's deadline of {cell:g} s passed")

    def left(self) -> float | None:
        """Return the seconds left of the whole run's time, at least 0; None: no deadline."""
        seconds, _ = self.whole()
        return None if seconds is None else max(0.0, self._began + seconds - monotonic())

    def whole(self) -> tuple[float | None, str]:
        """Return the seconds for the whole run, and the sentence to begin with when they have passed."""
        run, session = self._options.timeout, self._options.session_timeout
        if session is not None and (run is None or session < run):
            return session, f"The session's deadline of {session:g} s passed"
        return (None, "") if run is None else (run, f"The notebook's deadline of {run:g} s passed")
