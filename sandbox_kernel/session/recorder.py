"""From a kernel's messages to outputs, in the order they came, and no more of them than is kept.

The guard bounds what a cell may send; this bounds what stays in this process's memory. Whoever
listens to a call hears all of it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_kernel.notebooks.client import MAX_PLACES
from sandbox_kernel.session.execution import TEXT, CodeError, Kind, Output

KEPT: Final = 16 << 20
"""Characters of outputs that a result holds: four thousand pages of text, or a hundred figures. More
belongs into a file, or to whoever listens."""

COST: Final = 512
"""Characters that each output costs beside its own, for what Python needs to hold it."""

MAX_NAME, MAX_MESSAGE, MAX_TRACEBACK = 200, 64 << 10, 1 << 20
"""Characters of an error's parts: a traceback of IPython's, with its colours, has some three thousand."""

Message = Mapping[str, Any]


class Recorder:
    """The outputs of one call."""

    def __init__(self, heard: Callable[[Output], None] | None = None, limit: int = KEPT) -> None:
        self.begun = asyncio.Event()
        """The kernel is at the code."""
        self.error: CodeError | None = None
        self.count: int | None = None
        self.exits = False
        """Whether the code asks that its kernel be ended, as `exit()` does."""
        self.dropped = 0
        """Characters that were not kept."""
        self._heard = heard or (lambda _: None)
        self._limit = limit
        self._outputs: list[Output] = []
        self._held = 0
        self._places: dict[str, deque[int]] = {}
        """By name, where the outputs are that an update stands in the place of."""
        self._text: list[str] = []
        """Pieces of the last output, while it is text that goes on."""
        self._clear_first = False

    def take(self, message: Message) -> None:
        """Take one message in. Raises KeyError, TypeError and the like where it is malformed."""
        content, kind = message["content"], message["msg_type"]
        if kind == "stream":
            self._write(content["name"], content["text"])
        elif kind in ("display_data", "execute_result"):
            self._show(_output(content, "value" if kind == "execute_result" else "display"))
        elif kind == "update_display_data":
            self._update(_output(content, "display"))
        elif kind == "clear_output":
            self._clear_first = bool(content.get("wait"))
            if not self._clear_first:
                self._clear()
        elif kind == "error":
            self.fail(content)
        elif kind == "execute_input":
            self.begun.set()
        count = content.get("execution_count")
        if isinstance(count, int):
            self.count = count

    def fail(self, content: Message) -> None:
        """Take the error that a message tells of."""
        name, message = str(content["ename"])[:MAX_NAME], str(content["evalue"])[:MAX_MESSAGE]
        self.error = CodeError.of(name, message, tuple(_first_characters(content.get("traceback"))))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What was kept, text that went on in one piece."""
        self._end_of_text()
        return tuple(self._outputs)

    def _write(self, name: str, text: str) -> None:
        if name not in ("stdout", "stderr") or not isinstance(text, str):
            raise TypeError
        kind: Kind = "stdout" if name == "stdout" else "stderr"
        self._heard(Output(kind, {TEXT: text}))
        self._clear_if_due()
        if not (self._text and self._outputs[-1].kind == kind):
            if not self._fits(COST):
                self.dropped += len(text)
                return
            self._end_of_text()
            self._outputs.append(Output(kind, {}))
        kept = text[: self._limit - self._held]
        self._held += len(kept)
        self.dropped += len(text) - len(kept)
        self._text.append(kept)

    def _show(self, output: Output) -> None:
        self._heard(output)
        self._clear_if_due()
        self._keep(output)

    def _keep(self, output: Output) -> None:
        size = _size(output)
        if self._fits(size + COST):
            self._end_of_text()
            self._outputs.append(output)
            if output.display_id is not None:
                places = self._places.setdefault(output.display_id, deque(maxlen=MAX_PLACES))
                places.append(len(self._outputs) - 1)
        else:
            self.dropped += size

    def _update(self, update: Output) -> None:
        """Put it where the outputs of its name are; what an earlier call has shown stays as it is."""
        self._heard(update)
        name, size = update.display_id, _size(update)
        places = self._places.get(name, ()) if name is not None else ()
        if places and not self._fits(size):
            self.dropped += size
            return
        for index in places:
            self._outputs[index] = Output(self._outputs[index].kind, update.data, update.metadata, name)

    def _fits(self, size: int) -> bool:
        """Return whether there is room for so much more, and take it."""
        fits = self._held + size <= self._limit
        self._held += size * fits
        return fits

    def _clear_if_due(self) -> None:
        if self._clear_first:
            self._clear()

    def _clear(self) -> None:
        self._outputs, self._text, self._clear_first, self._held = [], [], False, 0
        self._places = {}

    def _end_of_text(self) -> None:
        if self._text:
            self._outputs[-1] = Output(self._outputs[-1].kind, {TEXT: "".join(self._text)})
            self._text = []


def _output(content: Message, kind: Kind) -> Output:
    data, metadata, transient = content["data"], content.get("metadata"), content.get("transient")
    if not isinstance(data, dict):
        raise TypeError
    name = transient.get("display_id") if isinstance(transient, dict) else None
    return Output(
        kind, data, metadata if isinstance(metadata, dict) else {}, name if isinstance(name, str) else None
    )


def _size(output: Output) -> int:
    values = [*output.data, *output.data.values(), *([output.metadata] if output.metadata else [])]
    return len(output.display_id or "") + sum(
        len(value) if isinstance(value, str) else len(json.dumps(value)) for value in values
    )


def _first_characters(lines: object) -> list[str]:
    """Return the beginning of a traceback."""
    kept, left = [], MAX_TRACEBACK
    for line in lines if isinstance(lines, list) else []:
        kept.append(str(line)[:left])
        left -= len(kept[-1]) + 1
        if left <= 0:
            break
    return kept
