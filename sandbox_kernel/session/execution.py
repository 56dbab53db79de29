"""What a call returns: frozen values, all text of which was chosen by the code that ran."""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, NamedTuple

from sandbox_kernel.errors import CodeFailedError
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.session.brief import Size, described, forms

Kind = Literal["stdout", "stderr", "display", "value"]

TEXT: Final = "text/plain"

_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
"""Best first: what every program can show, and last what is text that can act."""

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?")
"""Escape sequences (colours, titles of windows, links), and an escape that begins none."""


class Image(NamedTuple):
    """A picture as a file has it. Nothing has looked into it: decode it as what it is, a stranger's."""

    mime: str
    data: bytes

    def __repr__(self) -> str:
        return described(self, {"mime": self.mime, "data": Size(len(self.data))})


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that code has printed or shown, in all the forms that it came in."""

    kind: Kind
    data: Mapping[str, Any]
    """MIME type → text (binary types in base64), or what JSON has."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: str | None = None
    """Its name, if it has one: a later output of the same name stands in its place."""

    def __repr__(self) -> str:
        return described(self, {"kind": self.kind, "data": forms(self.data), "display_id": self.display_id})

    @property
    def text(self) -> str:
        """What was printed; of anything else its plain text, "" if it has none."""
        text = self.data.get(TEXT)
        return text if isinstance(text, str) else ""

    @property
    def image(self) -> Image | None:
        """The picture that it is, as bytes; None if it is none that can be read."""
        for mime in _PICTURES:
            data = self.bytes(mime)
            if data is not None:
                return Image(mime, data)
        return None

    def bytes(self, mime: str) -> bytes | None:
        """Return one form as a file would have it; None if there is no such form, or it is not base64."""
        value = self.data.get(mime)
        if not isinstance(value, str):
            return None
        if mime.startswith("text/") or mime.endswith(("+xml", "/javascript")):
            return value.encode("utf-8", "replace")
        try:
            return binascii.a2b_base64("".join(value.split()), strict_mode=True)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class CodeError:
    """The error that code has ended with."""

    name: str
    """The exception's class: "ZeroDivisionError"."""
    message: str
    traceback: str
    """As plain text, without colours."""
    raw: tuple[str, ...]
    """The traceback's parts as they came, with a terminal's colours."""

    def __repr__(self) -> str:
        return described(self, {"name": self.name, "message": self.message})

    @classmethod
    def of(cls, name: str, message: str, raw: tuple[str, ...]) -> "CodeError":
        """Return the error with a traceback that is safe to print."""
        return cls(without_colours(name), without_colours(message), without_colours("\n".join(raw)), raw)

    def __str__(self) -> str:
        """Return it as a traceback's last line: "ZeroDivisionError: division by zero"."""
        return f"{self.name}: {self.message}" if self.message else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What became of a piece of code: it never raises by itself, so look at `outcome`, or call `or_raise`."""

    outcome: Outcome
    cause: str
    """Why it ended so, in a sentence; "" where it is ok."""
    stdout: str = ""
    stderr: str = ""
    value: str | None = None
    """The last expression's value, as its repr; None without one. `Sandbox.get` has values themselves."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """That value in all its forms, by MIME type: an HTML table, a picture; empty without one."""
    displays: tuple[Output, ...] = ()
    """What was shown with `display` and its kin: figures, tables."""
    error: CodeError | None = None
    outputs: tuple[Output, ...] = ()
    """Everything in its order, text and value included."""
    truncated: str | None = None
    """What is missing of the outputs, in words; None: nothing."""
    seconds: float = 0.0
    """From handing the code over to the end of its last output."""
    count: int | None = None
    """The kernel's number for it, as in `In [7]`; None if it was not run."""

    def __repr__(self) -> str:
        """Return what it came to; `outputs` has the same once more, in its order."""
        left_out = {"outputs"}
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}
        return described(self, {**told, "data": forms(self.data)})

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return self.outcome is Outcome.OK

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures among the outputs, the value's included, in their order."""
        return tuple(image for output in self.outputs if (image := output.image) is not None)

    def or_raise(self) -> "Execution":
        """Return itself if the code ran to its end.

        :raises CodeFailedError: it did not; the message says why, and `execution` has the rest.
        """
        if self.ok:
            return self
        raise CodeFailedError(self.cause, self)


def without_colours(text: str) -> str:
    """Return text without a terminal's escape sequences."""
    return _ANSI.sub("", text)
