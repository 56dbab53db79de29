"""What host and guest tell each other about the kernel, on `Channel.SUPERVISOR`.

Each message is one part of JSON with a "kind" and exactly the fields of its class. Nothing
of what the peer sent reaches a field unchecked: each has a type and a cap of its own.

The messages are named tuples: to import dataclasses would delay every kernel's start by 10 ms.
"""

from __future__ import annotations

from math import isfinite

from sandbox_kernel.wire.errors import LocalProtocolError, RemoteProtocolError
from sandbox_kernel.wire.frames import MAX_SUPERVISION_BYTES, Part
from sandbox_kernel.wire.named import NamedTuple
from sandbox_kernel.wire.text import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Union

MAX_LOG_CHARACTERS = 16 * 1024
"""Longest text of one Log. A character costs up to 12 bytes of JSON, so it stays below
`EXCLUSIVE_BYTES` and never waits behind a long message. A traceback has a few thousand."""

MAX_WORD_CHARACTERS = 128 * 1024
"""Longest argument, variable or path: what Linux takes for one (MAX_ARG_STRLEN)."""

MAX_WORDS = 4096
"""Most arguments or variables; more would not fit into `MAX_SUPERVISION_BYTES` anyway."""

MAX_LIMITS = 32
"""Most entries of Hello.limits: there are not that many limits."""

MAX_NUMBER = 2**63 - 1
"""Largest count of anything: what a C library holds, and enough for bytes."""


SECRETS = "secrets"
"""The directory below Start.runtime_dir that holds the granted secrets, one file each."""


class Start(NamedTuple):
    """Host to guest, first and once: the kernel to start."""

    version: int
    """The host's `WIRE_VERSION`."""
    argv: tuple[str, ...]
    """The kernel's command; "{connection_file}" in it stands for the path of that file."""
    env: dict[str, str]
    """The kernel's whole environment."""
    cwd: str
    runtime_dir: str
    """A private directory for the connection file and the kernel's sockets; short (see 107)."""
    key: str
    """Signs messages between guest and kernel, where user code can read it; "": they are not signed."""
    files: int
    """Most open files of a process of the kernel (RLIMIT_NOFILE)."""
    pids: int | None
    """Most processes of the kernel's user (RLIMIT_NPROC); None: set by other means."""
    secrets: dict[str, str] = {}  # noqa: RUF012 - a named tuple's default, which nobody changes
    """Name → content of the files that `SECRETS` in the private directory gets."""
    preload: tuple[str, ...] = ()
    """Modules that the kernel imports before it says that it is ready."""
    program: bool = False
    """Whether to run plain Python instead, of which `argv` names the interpreter only (guest/program)."""


class Signal(NamedTuple):
    """Host to guest: send this signal to the kernel's process group; nothing if it is dead."""

    signum: int


class Hello(NamedTuple):
    """Guest to host, first: the guest lives, and this is where."""

    wire_version: int
    guest_version: str
    python: str
    """Version of the interpreter that the guest runs on."""
    limits: dict[str, int | str]
    """What the guest sees of its own limits; for the log and for people, not for decisions."""


class Ready(NamedTuple):
    """Guest to host: the kernel has bound its channels and spoken."""

    def __bool__(self) -> bool:
        """Be true, as every message is; a tuple without fields would not be."""
        return True


class Log(NamedTuple):
    """Guest to host: what the kernel wrote to its standard output or error, or a word of ours."""

    text: str


class Counters(NamedTuple):
    """Guest to host: what the sandbox's own control group has counted, whenever that has grown.

    Sent before the reply or the exit that it explains. For engines whose group the host cannot read.
    """

    memory_bytes: int
    """Peak memory of the whole sandbox; 0 where unknown."""
    oom_kills: int
    """Processes that were killed for memory."""
    pids_refused: int
    """How often a new process or thread was refused."""


class KernelExit(NamedTuple):
    """Guest to host, last: the kernel has ended. All it had said was sent before this."""

    returncode: int
    """As subprocess has it: negative for the signal that killed it."""
    max_rss: int
    """Most memory the kernel's process held at any time, in bytes."""
    cpu_seconds: float
    """User and system time of the kernel and of those of its children that it waited for."""


if TYPE_CHECKING:
    Supervision = Union[Start, Signal, Hello, Ready, Log, Counters, KernelExit]
    _Check = Callable[[Any], Any]
else:
    Supervision = object


def encode(message: Supervision) -> tuple[bytes, ...]:
    """Return the parts that carry `message`.

    :raises LocalProtocolError: a field is over its cap, or not of its type.
    """
    kind, checks = _KIND_OF[type(message)]
    values = message._asdict()
    try:
        for name, check in checks.items():
            value = values[name]
            check(list(value) if isinstance(value, tuple) else value)
    except _UnfitError as error:
        raise LocalProtocolError(f"{kind}.{name} {error}") from None
    part = dumps({"kind": kind, **values})
    if len(part) > MAX_SUPERVISION_BYTES:
        raise LocalProtocolError(f"{kind} of {len(part)} bytes; at most {MAX_SUPERVISION_BYTES} are sent")
    return (part,)


def decode(parts: Sequence[Part]) -> Supervision:
    """Return the message that `parts` carry.

    :raises RemoteProtocolError: they carry none, or one with a missing, unknown or unfit field.
    """
    if len(parts) != 1 or len(parts[0]) > MAX_SUPERVISION_BYTES:
        raise RemoteProtocolError("a supervision message is one part of bounded size")
    try:
        content = loads(bytes(parts[0]))
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"a supervision message is not JSON: {type(error).__name__}") from None
    kind = content.pop("kind", None) if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in _CLASS_OF:
        raise RemoteProtocolError("a supervision message is of no known kind")
    cls = _CLASS_OF[kind]
    checks = _KIND_OF[cls][1]
    if content.keys() != checks.keys():
        raise RemoteProtocolError(f"{kind} does not have exactly the fields {', '.join(checks) or '(none)'}")
    try:
        message: Supervision = cls(**{name: check(content[name]) for name, check in checks.items()})
    except _UnfitError as error:
        raise RemoteProtocolError(f"a field of {kind} {error}") from None
    return message


class _UnfitError(Exception):
    """A value that does not fit its field; the message goes on after the field's name."""


def _integer(low: int, high: int) -> _Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _UnfitError(f"is not a whole number from {low} to {high}")
        return value

    return check


def _optional(inner: _Check) -> _Check:
    return lambda value: None if value is None else inner(value)


def _word(value: Any) -> str:
    """Check something for execve: without NUL; bytes that are not UTF-8 come as lone surrogates."""
    if not isinstance(value, str) or len(value) > MAX_WORD_CHARACTERS or "\0" in value:
        raise _UnfitError(f"is not a text without NUL of up to {MAX_WORD_CHARACTERS} characters")
    return value


def _text(longest: int) -> _Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise _UnfitError(f"is not a text of up to {longest} characters")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _UnfitError("has characters that no text has") from None
        return value

    return check


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_WORDS:
        raise _UnfitError(f"is not a list of 1 to {MAX_WORDS} texts")
    return tuple(_word(each) for each in value)


def _some(inner: _Check) -> _Check:
    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > MAX_WORDS:
            raise _UnfitError(f"is not a list of up to {MAX_WORDS} texts")
        return tuple(map(inner, value))

    return check


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_WORDS:
        raise _UnfitError(f"is not an object of up to {MAX_WORDS} texts")
    if any(not name or "=" in name for name in value):
        raise _UnfitError("has a variable with an impossible name")
    return {_word(name): _word(text) for name, text in value.items()}


def _files(value: Any) -> dict[str, str]:
    files = _variables(value)
    if any(not (name.isascii() and name.isidentifier()) for name in files):
        raise _UnfitError("has a file with an impossible name")
    return files


def _limits(value: Any) -> dict[str, int | str]:
    if not isinstance(value, dict) or len(value) > MAX_LIMITS:
        raise _UnfitError(f"is not an object of up to {MAX_LIMITS} limits")
    name, text, number = _text(64), _text(256), _integer(-1, MAX_NUMBER)
    return {name(key): text(each) if isinstance(each, str) else number(each) for key, each in value.items()}


def _seconds(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _UnfitError("is not a number of seconds")
    if not 0 <= value <= MAX_NUMBER or not isfinite(value):
        raise _UnfitError("is not a possible number of seconds")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError("is neither true nor false")
    return value


_version = _integer(0, 2**31)

_KIND_OF: dict[type[Any], tuple[str, dict[str, _Check]]] = {
    Start: (
        "start",
        {
            "version": _version,
            "argv": _words,
            "env": _variables,
            "cwd": _word,
            "runtime_dir": _word,
            "key": _word,
            "files": _integer(1, MAX_NUMBER),
            "pids": _optional(_integer(1, MAX_NUMBER)),
            "secrets": _files,
            "preload": _some(_word),
            "program": _flag,
        },
    ),
    Signal: ("signal", {"signum": _integer(1, 64)}),
    Hello: (
        "hello",
        {
            "wire_version": _version,
            "guest_version": _text(64),
            "python": _text(256),
            "limits": _limits,
        },
    ),
    Ready: ("ready", {}),
    Log: ("log", {"text": _text(MAX_LOG_CHARACTERS)}),
    Counters: (
        "counters",
        dict.fromkeys(("memory_bytes", "oom_kills", "pids_refused"), _integer(0, MAX_NUMBER)),
    ),
    KernelExit: (
        "kernel_exit",
        {"returncode": _integer(-255, 255), "max_rss": _integer(0, MAX_NUMBER), "cpu_seconds": _seconds},
    ),
}

_CLASS_OF: dict[str, type[Any]] = {kind: cls for cls, (kind, _) in _KIND_OF.items()}
