"""Finding secrets in what a kernel says, and putting "[secret NAME]" in their place.

Texts are looked at after JSON was read: on the wire a letter may be written as an escape.
To look costs about a search for each form; without secrets there are no masks to ask.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_kernel.host.secrets.forms import forms
from sandbox_kernel.wire import Part

MAX_TAIL: Final = 256 << 10
"""Characters held back at most: the largest secret (64 KiB) written as an escape for each byte."""

HEAD: Final = 16
"""Characters by which the beginning of a secret is found: to compare all of it at each place takes long."""

MAX_GROWTH: Final = 2
"""How many times longer than what it hides a mask may be: else a kernel that says a short secret a
million times would have its clients hold many times what its output budget allows."""

UNNAMED: Final = "[secret]"


class Masks:
    """The masks for one kernel's secrets; without any it is false, and need not be asked."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        found = {form: name for name, value in (values or {}).items() for form in forms(value)}
        self._names = dict(sorted(found.items(), key=lambda item: len(item[0]), reverse=True))
        self._pattern = re.compile("|".join(map(re.escape, self._names)))
        self._bytes = [form.encode("utf-8", "surrogateescape") for form in self._names]
        self._tail = min(MAX_TAIL, max(map(len, self._names), default=1) - 1)

    def __bool__(self) -> bool:
        return bool(self._names)

    def __repr__(self) -> str:
        return f"<Masks for {', '.join(sorted(set(self._names.values()))) or 'nothing'}>"

    def text(self, text: str) -> str:
        """Return the text, masked; the same object where nothing is found."""
        if not any(form in text for form in self._names):  # much faster than to look for all at once
            return text
        return self._pattern.sub(lambda match: _mask(match[0], self._names), text)

    def json(self, value: Any) -> Any:
        """Return a JSON value with every text in it masked, keys too; the same object if there is nothing."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            items = [self.json(item) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if isinstance(value, dict):
            pairs = [(self.text(key), self.json(item)) for key, item in value.items()]
            same = all(new is old for (_, new), old in zip(pairs, value.values(), strict=True))
            same = same and all(new is old for (new, _), old in zip(pairs, value, strict=True))
            return value if same else dict(pairs)
        return value

    def buffer(self, part: Part) -> Part:
        """Return a binary part with asterisks over secrets: what reads it counts on its length."""
        data = bytes(part)
        if not any(form in data for form in self._bytes):
            return part
        for form in self._bytes:
            data = data.replace(form, b"*" * len(form))
        return data

    def unfinished(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a secret."""
        end = text[-self._tail :] if self._tail else ""
        return max((_overlap(end, form) for form in self._names), default=0)


def _mask(form: str, names: Mapping[str, str]) -> str:
    named = f"[secret {names[form]}]"
    return named if len(named) <= MAX_GROWTH * len(form) else UNNAMED


def _overlap(text: str, form: str) -> int:
    """Return the length of the longest end of the text that the form begins with, short of all of it."""
    head = form[:HEAD]
    start = text.find(head, max(0, len(text) - len(form) + 1))
    while start >= 0:
        if form.startswith(text[start:]):
            return len(text) - start
        start = text.find(head, start + 1)
    shorter = range(min(len(head), len(text) + 1, len(form)) - 1, 0, -1)
    return next((length for length in shorter if text.endswith(head[:length])), 0)


class Tail:
    """Holds back the end of a stream's text for as long as it may be the beginning of a secret.

    A secret may come in two messages: a program's output is cut where its buffer ends.
    """

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self.held = ""

    def feed(self, text: str) -> str:
        """Return what may be shown now, masked."""
        text = self._masks.text(self.held + text)
        kept = self._masks.unfinished(text)
        self.held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> str:
        """Return what was held back, for there is no more, and forget it."""
        rest, self.held = self.held, ""
        return rest
