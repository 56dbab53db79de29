"""What each field of a policy accepts, and why its bounds are where they are.

A field's kind has three verbs: `read` takes what a person or a program wrote (JSON, traits,
environment, command line) and returns the value; `check` takes a value already in the right
form and returns it, refusing the rest; `show` writes it for people. `read` ends in `check`,
so there is one list of refusals. All refuse with `UnusableError`.

`bool` is an `int` to Python; it is refused everywhere, for `memory: true` means nothing.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol, get_args

from msgspec import Struct

from sandbox_kernel.policy.secrets import Secrets
from sandbox_kernel.policy.units import (
    KiB,
    MiB,
    TiB,
    UnusableError,
    format_seconds,
    format_size,
    parse_number,
    parse_seconds,
    parse_size,
)

EngineName = Literal["auto", "bubblewrap", "docker", "podman"]
NetworkName = Literal["none"]
WorkspaceMode = Literal["none", "ro", "rw"]
HtmlMode = Literal["strip", "isolate", "trust"]

WORKSPACE_MODES: Final[tuple[str, ...]] = get_args(WorkspaceMode)
"""How a notebook's directory may be shared, weakest grant first."""

HTML_MODES: Final[tuple[str, ...]] = get_args(HtmlMode)
"""What may become of active output (HTML, scripts, widgets) in a client's page, weakest grant first."""

ONE_YEAR: Final = 365 * 86400.0


class Mount(NamedTuple):
    """A directory or file of the host that is visible inside, at the same path."""

    path: Path
    mode: Literal["ro", "rw"]


class Kind(Protocol):
    """How the values of one field are read, checked and shown."""

    def read(self, written: object) -> object:
        """Return the value that was meant."""

    def check(self, value: object) -> object:
        """Return a value of the right form unchanged."""

    def show(self, value: object) -> str:
        """Return the value for people."""


class Whole(Struct, frozen=True):
    """A whole number between two bounds: bytes or a count."""

    least: int
    why: str
    """What does not work below the least; completes "at least N: …"."""
    most: int
    size: bool = True
    optional: bool = False
    """Whether the word "none" (in a program: None) switches this off."""

    def read(self, written: object) -> int | None:
        """Accept whole numbers, texts with units where the number is a size, and "none" where allowed."""
        if isinstance(written, str):
            if self.optional and written.strip().lower() == "none":
                return None
            written = parse_size(written) if self.size else _whole(written)
        return self.check(written)

    def check(self, value: object) -> int | None:
        """Refuse other types and numbers out of bounds; minus one is no way to say unlimited."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            wanted = 'a size such as "512m", or whole bytes' if self.size else "a whole number"
            raise UnusableError(f"is not {wanted}{', nor the word none' * self.optional}")
        if value < self.least:
            raise UnusableError(f"is too small; it must be at least {self.show(self.least)}: {self.why}")
        if value > self.most:
            raise UnusableError(f"is too large; it must be at most {self.show(self.most)}")
        return value

    def show(self, value: object) -> str:
        """Return "512 MiB" for a size, the digits for a count, or "none"."""
        if value is None:
            return "none"
        return format_size(value) if self.size and isinstance(value, int) else str(value)


class Number(Struct, frozen=True):
    """A finite number between two bounds."""

    least: float
    why: str
    most: float
    units: Callable[[str], float] = parse_number
    text: Callable[[float], str] = "{:g}".format
    optional: bool = False
    """Whether the word "none" (in a program: None) switches this off."""

    def read(self, written: object) -> float | None:
        """Accept numbers, texts, and "none" where that is allowed."""
        if isinstance(written, str):
            if self.optional and written.strip().lower() == "none":
                return None
            written = self.units(written)
        return self.check(written)

    def check(self, value: object) -> float | None:
        """Refuse other types, infinities and numbers out of bounds."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnusableError(f"is not a number{' of seconds, nor the word none' * self.optional}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UnusableError("is not a finite number")
        if value < self.least:
            raise UnusableError(f"is too small; it must be at least {self.show(self.least)}: {self.why}")
        if value > self.most:
            raise UnusableError(f"is too large; it must be at most {self.show(self.most)}")
        return float(value)

    def show(self, value: object) -> str:
        """Return the number with its unit, or "none"."""
        return self.text(value) if isinstance(value, int | float) else "none"


class Choice(Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, written: object) -> str:
        """Accept one of the words, whatever its case."""
        return self.check(written.strip().lower() if isinstance(written, str) else written)

    def check(self, value: object) -> str:
        """Refuse every other word."""
        if isinstance(value, str) and value in self.words:
            return value
        if len(self.words) == 1:
            raise UnusableError(f"is not {self.words[0]}, which is all that there is")
        near = get_close_matches(str(value), self.words, n=1)
        advice = f" (did you mean {near[0]}?)" if near else ""
        raise UnusableError(f"is not one of {', '.join(self.words)}{advice}")

    def show(self, value: object) -> str:
        """Return the word."""
        return str(value)


class Texts(Struct, frozen=True):
    """A list of texts, each of which passes one test; nothing twice."""

    one: Callable[[str], str]

    def read(self, written: object) -> tuple[str, ...]:
        """Accept a list, or a text with commas between the entries."""
        if isinstance(written, str):
            written = [part.strip() for part in written.split(",") if part.strip()]
        if not isinstance(written, list | tuple):
            raise UnusableError("is not a list, nor a text with commas between its entries")
        return tuple(dict.fromkeys(self._each(written)))

    def check(self, value: object) -> tuple[str, ...]:
        """Refuse anything but a tuple of acceptable texts."""
        if not isinstance(value, tuple) or tuple(self._each(value)) != value:
            raise UnusableError("is not a tuple of texts in their full form")
        return value

    def show(self, value: object) -> str:
        """Return the entries with commas between, or "none"."""
        return ", ".join(value) if isinstance(value, tuple) and value else "none"

    def _each(self, entries: Iterable[object]) -> Iterable[str]:
        for entry in entries:
            if not isinstance(entry, str):
                raise UnusableError(f"has an entry that is not a text: {entry!r:.80}")
            yield self.one(entry)


class Name(Struct, frozen=True):
    """One name of a certain form; the word "none" (in a program: None) leaves the choice to us."""

    form: re.Pattern[str]
    what: str
    """What it is the name of; completes "is not the name of …"."""

    def read(self, written: object) -> str | None:
        """Accept a name, and "none"."""
        if isinstance(written, str):
            written = written.strip()
            if written.lower() == "none":
                return None
        return self.check(written)

    def check(self, value: object) -> str | None:
        """Refuse what cannot be such a name."""
        if value is None or (isinstance(value, str) and self.form.fullmatch(value)):
            return value
        raise UnusableError(f"is not the name of {self.what}")

    def show(self, value: object) -> str:
        """Return the name, or "none"."""
        return str(value or "none")


_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}", re.ASCII)
_RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)
_OWN_MOUNTS = ("proc", "sys", "dev")


def variable(entry: str) -> str:
    """Return the name of an environment variable that may be passed in.

    :raises UnusableError: it is no name, or one that breaks the kernel.
    """
    if "=" in entry:
        raise UnusableError(
            f"has {entry!r:.80}: name the variable only; values belong in the kernelspec's env"
        )
    if _VARIABLE.fullmatch(entry) is None:
        raise UnusableError(f"has {entry!r:.80}, which is not a variable's name")
    if entry == "JPY_PARENT_PID":
        raise UnusableError(
            "has JPY_PARENT_PID, with which the kernel would take itself for an orphan and exit"
        )
    if entry == "IPYTHONDIR":
        raise UnusableError("has IPYTHONDIR, where the sandbox keeps a profile of its own")
    return entry


def module(entry: str) -> str:
    """Return the name of a module that a kernel may begin with.

    :raises UnusableError: it is no module's name.
    """
    if not all(part.isidentifier() for part in entry.split(".")) or len(entry) > 255:
        raise UnusableError(f"has {entry!r:.80}, which is not a module's name")
    return entry


def mount(entry: str) -> str:
    """Return a mount in its full form, "PATH:ro" or "PATH:rw".

    :raises UnusableError: the path is not absolute and plain, or would hollow out the wall.
    """
    path, mode = _split(entry)
    _refuse_modes(entry, path)
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UnusableError(
            f"has {entry!r:.80}: a mount is an absolute path without .., with :ro or :rw after it"
        )
    inner = [part for part in pure.parts if part not in {"/", "//"}]
    if not inner:
        raise UnusableError("has the root directory, which would grant the whole host")
    if inner[0] in _OWN_MOUNTS:
        raise UnusableError(f"has /{inner[0]}: a sandbox has its own, the host's would be a way out")
    return f"/{'/'.join(inner)}:{mode}"


def split_mount(entry: str) -> Mount:
    """Return a mount as path and mode."""
    path, mode = _split(entry)
    return Mount(Path(path), "rw" if mode == "rw" else "ro")


def _split(entry: str) -> tuple[str, str]:
    """Return path and mode of an entry; read-only where it does not say."""
    head, _, tail = entry.rpartition(":")
    return (head, tail) if head and tail in {"ro", "rw"} else (entry, "ro")


def _refuse_modes(entry: str, path: str) -> None:
    """Refuse "/x:rx", and "/x:/y" as container programs have it, which would be taken for a path's name.

    :raises UnusableError: what follows a colon is neither a mode, nor followed by one.
    """
    head, colon, tail = path.rpartition(":")
    if not colon or path != entry:  # it ends in a mode: then all before it is the path
        return
    if tail.startswith("/"):
        raise UnusableError(
            f"has {entry!r:.80}: what is shared has the same path inside, so write {head!r:.80} alone"
        )
    if "/" not in tail:
        raise UnusableError(
            f"has {entry!r:.80}: there is no mode {tail!r:.20}; after a mount's path comes :ro or :rw "
            f"(also where the path itself ends in {':' + tail!r:.20})"
        )


def _whole(text: str) -> int:
    number = parse_number(text)
    if not number.is_integer():
        raise UnusableError("is not a whole number")
    return int(number)


def _time(why: str) -> Number:
    return Number(0.1, why, ONE_YEAR, units=parse_seconds, text=format_seconds, optional=True)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "engine": Choice(get_args(EngineName)),
        "image": Name(_IMAGE, "a container image, such as python:3.13-slim"),
        "runtime": Name(_RUNTIME, "a container runtime, such as gvisor, kata or runc"),
        "memory": Whole(96 * MiB, "an idle kernel uses 45 MiB, and more while it starts", 64 * TiB),
        "cpus": Number(0.1, "with less a kernel takes longer to start than clients wait", 4096),
        "pids": Whole(
            32,
            "an idle kernel and its supervisor have 14 threads, and debugging adds some",
            4_194_304,
            size=False,
        ),
        "tmp": Whole(1 * MiB, "the kernel keeps its own files there", 64 * TiB),
        "files": Whole(128, "an idle kernel has 62 files and sockets open", 1_048_576, size=False),
        "workspace": Choice(WORKSPACE_MODES),
        "network": Choice(get_args(NetworkName)),
        "mounts": Texts(mount),
        "env": Texts(variable),
        "secrets": Secrets(),
        "preload": Texts(module),
        "start_timeout": Number(
            1.0, "no kernel starts in less", ONE_YEAR, units=parse_seconds, text=format_seconds
        ),
        "cell_timeout": _time("nothing runs to its end in less"),
        "session_timeout": _time("nothing runs to its end in less"),
        "idle_timeout": _time("no client asks again so soon"),
        "output": Whole(16 * KiB, "a traceback and its messages need that much", 64 * TiB),
        "output_rate": Whole(
            16 * KiB, "a traceback and its messages need that much", 64 * TiB, optional=True
        ),
        "outputs": Whole(
            10, "a cell with prints, warnings, a plot and a traceback has as many", 1 << 40, size=False
        ),
        "message": Whole(16 * KiB, "a traceback needs that much", 64 * TiB),
        "html": Choice(HTML_MODES),
        "code": Whole(1 * KiB, "a cell of ordinary length has that much", 64 * TiB),
    }
)
"""Field name → kind. What an idle kernel uses was measured with ipykernel 7.4 on Python 3.11."""
