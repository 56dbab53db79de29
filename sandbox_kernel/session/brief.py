"""How results look where they are typed at a prompt, or end up in a log: short, whatever is in them."""

from collections.abc import Mapping
from reprlib import Repr
from typing import Final

from sandbox_kernel.policy import format_size

_BINARY: Final = ("image/", "audio/", "video/", "application/pdf")
"""How the types begin whose text is base64, which nobody reads; but for +xml."""

_BRIEF: Final = Repr()
_BRIEF.maxstring = 200
_BRIEF.maxother = 1000  # an output in a list of them, which is brief itself
_BRIEF.maxdict = _BRIEF.maxlist = _BRIEF.maxtuple = 6


class Size:
    """Stands for bytes."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __repr__(self) -> str:
        return f"<{format_size(self._count)}>"


def described(value: object, fields: Mapping[str, object]) -> str:
    """Return what a value is called, and those of its fields that are not empty, each cut to what is read."""
    told = (f"{name}={_BRIEF.repr(field)}" for name, field in fields.items() if field or field == 0)
    return f"{type(value).__name__}({', '.join(told)})"


def forms(data: Mapping[str, object]) -> dict[str, object]:
    """Return a value's forms by their types, with the size of a picture in its place."""
    return {mime: _form(mime, form) for mime, form in data.items()}


def _form(mime: str, form: object) -> object:
    if isinstance(form, str) and mime.startswith(_BINARY) and not mime.endswith("+xml"):
        return Size(len(form) * 3 // 4)
    return form
