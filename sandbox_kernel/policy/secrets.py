"""How a secret is named: what it is called inside, how it gets there, and where its value is from.

    NAME[:env][=env:VARIABLE | =file:PATH]

The value never stands in a policy. It is read when a kernel starts, by whoever starts it, from
that process's environment (by default the variable of the secret's own name) or from a file.
Inside it is a file in $SANDBOX_SECRETS, or with ":env" a variable, which every program that
code starts gets, too.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from sandbox_kernel.policy.units import UnusableError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_SOURCE: Final = re.compile(r"(env|file):(.+)", re.ASCII | re.DOTALL)


class Secret(NamedTuple):
    """One granted secret, without its value."""

    name: str
    delivery: Literal["file", "env"]
    kind: Literal["env", "file"]
    """What the value is read from."""
    place: str
    """The variable's name, or the file's path."""

    @property
    def source(self) -> str:
        """Where the value is from, as it is written: "env:TOKEN"."""
        return f"{self.kind}:{self.place}"

    def __str__(self) -> str:
        """Return the shortest way to write it."""
        own = self.kind == "env" and self.place == self.name
        return f"{self.name}{':env' * (self.delivery == 'env')}{'' if own else f'={self.source}'}"


def split_secret(entry: str) -> Secret:
    """Return a secret as its parts.

    :raises UnusableError: it is not written as one.
    """
    head, equals, source = entry.partition("=")
    name, colon, delivery = head.partition(":")
    if _NAME.fullmatch(name) is None or (colon and delivery not in {"env", "file"}):
        raise UnusableError(
            "has an entry that names no secret: write NAME, or NAME=file:PATH, with :env after NAME to pass "
            "it in as a variable"
        )
    written = _SOURCE.fullmatch(source if equals else f"env:{name}")
    if written is None:  # perhaps the value itself, which must not be repeated
        raise UnusableError(
            f"says for {name} something else than =env:VARIABLE or =file:PATH; a secret's value itself is "
            "never written there"
        )
    kind, place = written.groups()
    _check_place(name, kind, place)
    return Secret(name, "env" if delivery == "env" else "file", "file" if kind == "file" else "env", place)


class Secrets(Struct, frozen=True):
    """A list of secrets, each name once. What was written is never repeated: it may hold a value."""

    def read(self, written: object) -> tuple[str, ...]:
        """Accept a list, or a text with commas between the entries."""
        if isinstance(written, str):
            written = [part.strip() for part in written.split(",") if part.strip()]
        if not isinstance(written, list | tuple):
            raise UnusableError("is not a list, nor a text with commas between its entries")
        return _each_once(written)

    def check(self, value: object) -> tuple[str, ...]:
        """Refuse anything but a tuple of secrets in their full form."""
        if not isinstance(value, tuple) or _each_once(value) != value:
            raise UnusableError("is not a tuple of secrets in their full form")
        return value

    def show(self, value: object) -> str:
        """Return the entries with commas between, or "none"."""
        return ", ".join(value) if isinstance(value, tuple) and value else "none"


def _each_once(entries: Iterable[object]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, str):
            raise UnusableError("has an entry that is not a text")
        parts = split_secret(entry)
        if found.setdefault(parts.name, str(parts)) != str(parts):
            raise UnusableError(f"says twice what {parts.name} is")
    return tuple(found.values())


def _check_place(name: str, kind: str, place: str) -> None:
    if kind == "env" and _NAME.fullmatch(place) is None:
        raise UnusableError(f"says for {name} that it is from a variable whose name is none")
    path = PurePosixPath(place)
    if kind == "file" and (not path.is_absolute() or ".." in path.parts or "\0" in place):
        raise UnusableError(f"says for {name} a file whose path is not absolute, or has .. in it")
