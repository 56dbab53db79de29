"""What a model is shown of a run: text and pictures, so much of them as it can take in.

Rules:
- Text has no control sequences, no half characters, and an end. HTML is never passed on as HTML: a
  client may show it in a page.
- A picture is one: its bytes begin as its type says. Services refuse a whole conversation for one that
  is not, or that is too large.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from struct import unpack_from
from typing import Final
from urllib.parse import quote

from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
)

from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.session import Execution, Image, Output
from sandbox_kernel.session.execution import without_colours

MAX_TEXT: Final = 64 << 10
"""Characters of text in one answer: some 16,000 tokens, a tenth of what models hold."""
MAX_PIECE: Final = 32 << 10
"""Characters of one output, so that the first cannot crowd out the error at the end."""
MIN_PIECE: Final = 200
"""Characters of a longer text that are worth showing."""
MAX_TRACEBACK: Final = 16 << 10
"""Characters of why code failed, for which there is always room; a traceback has some two thousand."""
MAX_IMAGES: Final = 8
"""Pictures in one answer."""
MAX_IMAGE: Final = 3 << 20
"""Bytes of a picture; as base64 they are four thirds of that, and the usual limit of services is 5 MB."""
MAX_SIDE: Final = 8000
"""Pixels of a picture's side, where that is told in its first bytes: more is refused by services."""

ADVICE: Final = "Write large results into a file, and print a summary."

_SIGNATURES: Final[Mapping[str, bytes]] = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
"""The types that models can see, and how their files begin."""
_READABLE: Final = ("text/plain", "text/markdown", "text/latex")
"""Forms of an output that are text for a reader, best first."""


_HARMFUL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but for line ends and tabs."""
_TRACED: Final = (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CANCELLED)
"""Ends of which a traceback says more than their cause: where the code was."""


class Page:
    """One answer, as long as an answer may be."""

    def __init__(self) -> None:
        self._blocks: list[ContentBlock] = []
        self._left = MAX_TEXT
        self._left_out = 0
        self._images = 0

    def text(self, text: str, *, limit: int = MAX_PIECE) -> None:
        """Add text, its middle left out where it is too long; nothing, once there is no room."""
        whole = clean(text)
        room = min(limit, self._left)
        if room < min(len(whole), MIN_PIECE):
            self._left_out += len(whole)
        elif whole.strip():
            self._left -= min(len(whole), room)
            self._blocks.append(TextContent(type="text", text=shortened(whole, room)))

    def note(self, sentence: str) -> None:
        """Add a sentence of ours, whatever room is left."""
        self._blocks.append(TextContent(type="text", text=f"[{clean(sentence)[:2000]}]"))

    def image(self, image: Image) -> None:
        """Add a picture, or why it is not shown."""
        reason = unseeable(image) or (
            "there are more than a model can look at" * (self._images >= MAX_IMAGES)
        )
        if reason:
            self.text(f"[A picture is left out: {reason}.]")
            return
        self._images += 1
        data = base64.b64encode(image.data).decode()
        self._blocks.append(ImageContent(type="image", data=data, mime_type=image.mime))

    def attachment(self, path: str, data: bytes) -> None:
        """Add a file, for the client more than for the model."""
        contents = BlobResourceContents(uri=f"sandbox:///{quote(path)}", blob=base64.b64encode(data).decode())
        self._blocks.append(EmbeddedResource(type="resource", resource=contents))

    def outputs(self, outputs: Iterable[Output]) -> None:
        """Add what code has printed and shown."""
        for output in outputs:
            image = output.image
            if image is not None and image.mime in _SIGNATURES:
                self.image(image)
            elif output.kind == "stderr":
                self.text(f"[stderr]\n{output.text}")
            else:
                self.text(readable(output))

    def execution(self, execution: Execution) -> None:
        """Add everything that came of a piece of code, and how it ended if not well."""
        self.outputs(execution.outputs)
        if execution.error is not None and execution.outcome in _TRACED:
            traceback = clean(execution.error.traceback or str(execution.error))
            self._blocks.append(TextContent(type="text", text=shortened(traceback, MAX_TRACEBACK)))
        if execution.truncated:
            self.note(f"Some output is missing: {execution.truncated}. {ADVICE}")
        if execution.outcome not in (Outcome.OK, Outcome.ERROR):
            self.note(f"{execution.outcome}: {execution.cause}")

    def result(self, *, failed: bool = False) -> CallToolResult:
        """Return the answer."""
        if self._left_out:
            self.note(f"{self._left_out} more characters of output are left out. {ADVICE}")
        if not self._blocks:
            self.note("No output.")
        return CallToolResult(content=list(_joined(self._blocks)), is_error=failed)


def _joined(blocks: Iterable[ContentBlock]) -> Iterator[ContentBlock]:
    """Yield the blocks, text that follows text in one of them: code can make thousands."""
    for is_text, group in groupby(blocks, lambda block: isinstance(block, TextContent)):
        if not is_text:
            yield from group
            continue
        *pieces, last = [block.text for block in group if isinstance(block, TextContent)]
        text = "".join(piece if piece.endswith("\n") else f"{piece}\n" for piece in pieces)
        yield TextContent(type="text", text=text + last)


def clean(text: str) -> str:
    """Return text without control sequences and half characters."""
    plain = without_colours(text).replace("\r\n", "\n")
    return _HARMFUL.sub("", plain).encode("utf-8", "replace").decode()


def shortened(text: str, limit: int) -> str:
    """Return text of no more characters than that, and a little for the words that say what is missing."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[{left_out} characters are left out here]\n{text[len(text) - half :]}"


def readable(output: Output) -> str:
    """Return an output as text; where it has no such form, what it is."""
    for mime in _READABLE:
        if isinstance(text := output.data.get(mime), str):
            return text
    for mime, value in output.data.items():
        if mime == "application/json":
            with suppress(RecursionError):
                return json.dumps(value, ensure_ascii=False)[: 2 * MAX_PIECE]
    return f"[Output of type {', '.join(sorted(output.data))[:200]}, which is not shown.]"


def unseeable(image: Image) -> str | None:
    """Return why a model should not be shown a picture, None if it can be."""
    signature = _SIGNATURES.get(image.mime)
    if signature is None:
        return f"no model sees {image.mime}"
    if not image.data.startswith(signature) or (image.mime == "image/webp" and image.data[8:12] != b"WEBP"):
        return f"it says that it is {image.mime}, and is not"
    if len(image.data) > MAX_IMAGE:
        return f"it has {len(image.data) / (1 << 20):.1f} MiB, more than {MAX_IMAGE >> 20}"
    if image.mime == "image/png" and (side := _longest_side(image.data)) > MAX_SIDE:
        return f"one of its sides has {side} pixels, more than {MAX_SIDE}"
    return None


def _longest_side(png: bytes) -> int:
    return max(unpack_from(">II", png, 16)) if len(png) >= 24 else MAX_SIDE + 1


def picture(data: bytes) -> Image | None:
    """Return a file's content as the picture that it begins as, None if it does as none."""
    for mime, signature in _SIGNATURES.items():
        if data.startswith(signature):
            return Image(mime, data)
    return None


def failure(sentence: str) -> CallToolResult:
    """Return the answer to a call that could not be done."""
    page = Page()
    page.note(sentence)
    return page.result(failed=True)
