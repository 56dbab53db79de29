"""The steps that build a sandbox's root, as values, and how bubblewrap spells them.

Rules:

- Steps are done in order, in an empty root on a tmpfs; a later mount covers an earlier one.
- A target is a path inside. Missing parents are made (mode 0755) where the root is still writable.
- Binds are recursive, and never bring setuid programs or device files with them.

Nothing here touches the machine, so the whole wall can be asserted as a table.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from msgspec import Struct


class Origin(Enum):
    """Whose a source is, and so how far its path is trusted between now and the mount."""

    SYSTEM = "system"
    """Only root could change the path: taken by it."""
    OURS = "ours"
    """Our own code."""
    ENVIRONMENT = "environment"
    """A Python environment; its source is a real path, and must still be one when it is opened."""
    GRANT = "grant"
    """Named by the policy, or around an environment below what it named; as before."""


class Bind(Struct, frozen=True):
    """Show a file or directory of the host."""

    source: str
    target: str
    writable: bool = False
    origin: Origin = Origin.SYSTEM

    def arguments(self, place: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return place.bind(self)


class Tmpfs(Struct, frozen=True):
    """Mount an empty file system in memory that holds at most `size` bytes."""

    target: str
    size: int
    mode: int = 0o755

    def arguments(self, _: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return ["--perms", f"{self.mode:04o}", "--size", str(self.size), "--tmpfs", self.target]


class File(Struct, frozen=True):
    """Write a small file into the root."""

    target: str
    content: str

    def arguments(self, place: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return ["--perms", "0644", "--file", str(place.data(self.content)), self.target]


class Empty(Struct, frozen=True):
    """Cover a file with an empty one, or a directory with an empty one, that cannot be written to."""

    target: str
    directory: bool

    def arguments(self, place: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        if self.directory:
            return ["--perms", "0555", "--size", "4096", "--tmpfs", self.target, "--remount-ro", self.target]
        return ["--perms", "0444", "--ro-bind-data", str(place.data("")), self.target]


class Symlink(Struct, frozen=True):
    """Make a symbolic link; only below directories that are themselves made in the root."""

    target: str
    to: str

    def arguments(self, _: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return ["--symlink", self.to, self.target]


class Fresh(Struct, frozen=True):
    """Mount the kernel's own `proc` or bubblewrap's minimal `dev`."""

    kind: str
    target: str

    def arguments(self, _: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return [f"--{self.kind}", self.target]


class ReadOnly(Struct, frozen=True):
    """Let nothing be written to the file system mounted at the target from here on (not below it)."""

    target: str

    def arguments(self, _: "Place") -> list[str]:
        """Return bubblewrap's options for this step."""
        return ["--remount-ro", self.target]


Operation = Bind | Tmpfs | File | Empty | Symlink | Fresh | ReadOnly


class Place(Struct, frozen=True):
    """Where, at one launch, the things are that operations name."""

    bind: Callable[[Bind], list[str]]
    """Returns the options that show a source of the host."""
    data: Callable[[str], int]
    """Returns a descriptor from which this content can be read once."""


def bind_by_path(step: Bind) -> list[str]:
    """Return the options for a source that bubblewrap can reach by its path."""
    return ["--bind" if step.writable else "--ro-bind", step.source, step.target]


def arguments(operations: Iterable[Operation], place: Place) -> Iterator[str]:
    """Yield bubblewrap's options for all steps, in order."""
    for step in operations:
        yield from step.arguments(place)
