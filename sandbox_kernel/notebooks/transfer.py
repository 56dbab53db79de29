"""Files in and out of a running kernel, through the channels that it has anyway.

No engine's copying (host escapes of `docker cp` are on record), no folder that both sides share:
a silent request with nothing to execute, whose user expression runs `inside` in the kernel. What goes
in are the request's buffers; what comes out is in its reply. The notebook's code sees nothing of it:
its namespace, its history, `_` and its execution count stay as they are.

The kernel must be idle; a busy one answers when it is no longer. Whatever it answers is
hostile: user code can have patched all that runs in there. So answers are capped, read as JSON and bytes, and
checked for what they must be; that the bytes are the file's is the kernel's word, as all output is.
"""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, TypeAlias

from sandbox_kernel.errors import TransferError
from sandbox_kernel.policy import format_size

PIECE: Final = 180 << 10
"""Bytes of a file in one reply: in base64, with all around it, less than the 256 KiB of a reply that a
guard charges to no budget. So files come out whatever a policy allows its cells to print."""

SENT: Final = 1 << 20
"""Bytes of a file in one request: what a kernel has in memory a few times over for a moment."""

ROOM: Final = 90 << 10
"""Bytes of names in one reply, roughly."""

MAX_ANSWER: Final = 4 * (PIECE + 4096) // 3
"""Characters of an answer: a piece, and the line before it."""

MAX_SIZE: Final = 2**63 - 1
"""Bytes of a file, as systems count them: one of four thousand digits cannot even be written out."""

_SCRIPT: Final = Path(__file__).with_name("inside.py").read_bytes()
_EXPRESSION: Final = (
    "(lambda b, s, k, m: (s.get(k) or (lambda n: (b.exec(b.bytes(m[0]), n), s.setdefault(k, n))[1])({{}}))"
    '["answer"](m[1], m[2]))'
    '(__import__("builtins"), vars(__import__("IPython").get_ipython()), "_sandbox_{digest}", '
    '__import__("IPython").get_ipython().kernel.get_parent("shell")["buffers"])'
)
"""Runs a script once in each kernel, in a namespace that is kept beside IPython's own attributes: to compile
it anew for each piece of a file takes longer than to send the piece. Kept is what has run to its end: an
interrupt on the way would else leave half of it, for good."""
_ANSWER: Final = "answer"

Ask: TypeAlias = Callable[[dict[str, Any], Sequence[bytes]], Awaitable[dict[str, Any]]]
"""Sends an execute_request with this content and these buffers; returns the content of its reply, once the
request is idle. It has a deadline, and raises TransferError where none comes."""


class NoAnswerError(TransferError):
    """A request came to nothing inside: it was interrupted, or its kernel is dead, if not yet known to be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder inside, as the kernel says: nothing of it has been checked but its type."""

    name: str
    """Its path from the folder on."""
    kind: str
    """"file", "link", "pipe", "socket", "device", or "folder" for one that is too deep to look into."""
    size: int


class FarSide:
    """A script of ours that answers inside, in a namespace of its own.

    Its function `answer` takes a request as JSON and the bytes that go with it. It returns, in base64, a
    line of JSON and the bytes that follow.
    """

    def __init__(self, ask: Ask, script: bytes) -> None:
        """Note how the kernel is asked."""
        self._ask = ask
        self._script = script
        self._expression = _EXPRESSION.format(digest=sha256(script).hexdigest()[:16])

    async def do(self, what: str, data: bytes = b"", **facts: Any) -> tuple[dict[str, Any], bytes]:
        """Have something done; return what is said of it, and the bytes after that.

        :raises TransferError: it was not done.
        """
        request = json.dumps({"do": what, **facts}).encode()
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {_ANSWER: self._expression},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        reply = await self._ask(content, (self._script, request, data))
        said, piece = _read(reply)
        if "error" in said:
            where = f"{_shown(facts['path'])}: " if "path" in facts else ""
            raise TransferError(f"{where}{_shown(_text(said, 'error'))}.")
        return said, piece


class KernelFiles:
    """The files that one kernel can reach.

    Relative paths count from where its code is now, `~` from its home.
    """

    def __init__(self, ask: Ask) -> None:
        """Note how the kernel is asked."""
        self._far = FarSide(ask, _SCRIPT)

    async def read(self, path: str, *, limit: int | None, follow: bool = True) -> AsyncIterator[bytes]:
        """Yield the file in pieces, up to its end as it is by then; without a limit the reader keeps one.

        :param follow: whether a link is followed at the path's end; inside, where links lead nowhere else.
        :raises TransferError: it cannot be read, is no file, or has more than `limit` bytes.
        """
        offset = 0
        while True:
            said, piece = await self._far.do("read", path=path, offset=offset, size=PIECE, follow=follow)
            offset += len(piece)
            if limit is not None and max(offset, _number(said, "size")) > limit:
                raise TransferError(f"{_shown(path)} has more than {format_size(limit)}.")
            if len(piece) > PIECE:
                raise TransferError("The kernel answered more than it was asked for.")
            if piece:
                yield piece
            if len(piece) < PIECE:
                return

    async def write(self, path: str, data: bytes | memoryview) -> None:
        """Make a file of these bytes, and the folders that it is in; one that is there is replaced.

        It is there whole or not at all.

        :raises TransferError: it cannot be written.
        """
        part, view = f".{token_hex(8)}.part", memoryview(data).cast("B")
        for offset in range(0, max(1, len(view)), SENT):
            piece = bytes(view[offset : offset + SENT])
            end = offset + len(piece)
            last = end == len(view)
            said, _ = await self._far.do("write", piece, path=path, part=part, offset=offset, last=last)
            if _number(said, "size") != end:
                raise TransferError(f"{_shown(path)} was not written whole.")

    async def names(self, path: str, *, most: int) -> AsyncIterator[Entry]:
        """Yield what is below a folder, folders themselves left out, at most `most` entries; order by folder.

        :raises TransferError: it cannot be read.
        """
        seen = 0
        while seen < most:
            said, _ = await self._far.do("names", path=path, skip=seen, most=most - seen, room=ROOM)
            entries = said.get("entries")
            if not isinstance(entries, list) or len(entries) > most - seen:
                raise TransferError("The kernel answered nonsense about a folder.")
            for entry in entries:
                yield _entry(entry)
            seen += len(entries)
            if said.get("more") is not True or not entries:
                return

    async def make(self, name: str, variable: str) -> str:
        """Make a folder for temporary files, put its path into an environment variable, and return it.

        :raises TransferError: it cannot be made.
        """
        said, _ = await self._far.do("make", name=name, variable=variable)
        return _text(said, "path")

    async def remove(self, path: str) -> None:
        """Remove a folder and all in it.

        :raises TransferError: it cannot be removed.
        """
        await self._far.do("remove", path=path)


def _read(reply: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return what a reply says, and the bytes after it.

    :raises TransferError: it says nothing of the kind.
    :raises NoAnswerError: it says that there is no answer.
    """
    if reply.get("status") != "ok":
        reason = _shown(str(reply.get("evalue") or "it was interrupted"))
        raise NoAnswerError(f"The kernel did not answer: {reason}")
    try:
        shown = reply["user_expressions"][_ANSWER]
        text = shown["data"]["text/plain"] if shown["status"] == "ok" else _raise(shown)
        if not isinstance(text, str) or len(text) > MAX_ANSWER + 2:
            raise TransferError("The kernel's answer is too long, or no text.")
        line, _, piece = base64.b64decode(text.strip("'"), validate=True).partition(b"\n")
        said = json.loads(line)
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise TransferError(f"{_UNREADABLE}: {_shown(str(error))}.") from error
    if not isinstance(said, dict):
        raise TransferError(f"{_UNREADABLE}.")
    return said, piece


_UNREADABLE: Final = (
    "The kernel's answer cannot be read; its notebook may have patched it, it may be none of Python's, or a "
    "secret of its policy was in the way"
)


def _raise(shown: dict[str, Any]) -> str:
    reason = _shown(f"{shown.get('ename')}: {shown.get('evalue')}")
    raise TransferError(f"The kernel failed to answer: {reason}.")


def _entry(entry: object) -> Entry:
    match entry:
        case [str(name), str(kind), int(size)] if 0 <= size <= MAX_SIZE:
            return Entry(name, kind, size)
    raise TransferError("The kernel answered nonsense about a folder.")


def _number(said: dict[str, Any], name: str) -> int:
    number = said.get(name)
    if not isinstance(number, int) or not 0 <= number <= MAX_SIZE:
        raise TransferError("The kernel answered nonsense about a file.")
    return number


def _text(said: dict[str, Any], name: str) -> str:
    text = said.get(name)
    if not isinstance(text, str):
        raise TransferError("The kernel answered nonsense about a file.")
    return text


def _shown(text: str) -> str:
    """Return a text of the kernel's, or a path, as our sentences may hold it: printable, and not long."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:200])
    return clean if len(text) <= 200 else f"{clean}…"
