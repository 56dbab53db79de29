"""What moves files at the far side of `transfer`: sent into a kernel as text, never imported out here.

It runs in the kernel's Python, 3.9 or newer, with the standard library alone, and in a
namespace of its own. Each answer is a line of JSON, the bytes after it, and base64 around both.
It is a courtesy, no guard: user code can patch all that it uses. Who reads its answers checks them.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[dict[str, Any], bytes]

DEEPEST = 32
"""Folders below folders that are looked into."""

_KINDS = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def answer(request: bytes, data: memoryview) -> str:
    """Do what is asked for; return what became of it, as text that survives being shown."""
    asked = json.loads(bytes(request).decode())
    act = ACTIONS[asked.pop("do")]
    try:
        said, content = act(data, **asked) if act is write else act(**asked)
    except OSError as error:
        said, content = {"error": error.strerror or str(error)}, b""
    except Exception as error:  # noqa: BLE001 -- whatever failed: a notebook may have patched a module
        said, content = {"error": repr(error)[:500]}, b""
    return base64.b64encode(json.dumps(said).encode() + b"\n" + content).decode()


def make(name: str, variable: str) -> Answer:
    """Make a folder on the temporary file system, and tell the code of it in a variable."""
    path = Path(tempfile.gettempdir(), name)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        path = Path(tempfile.mkdtemp(prefix=name + "-"))
    os.environ[variable] = str(path)
    return {"path": str(path)}, b""


def read(path: str, offset: int, size: int, *, follow: bool) -> Answer:
    """Return a piece of a file; less than `size` is its end."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(Path(path).expanduser(), flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        pieces, left = [], size
        while left:
            piece = os.pread(descriptor, left, offset + size - left)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
    finally:
        os.close(descriptor)
    return {"size": status.st_size}, b"".join(pieces)


def write(data: memoryview, path: str, part: str, offset: int, *, last: bool) -> Answer:
    """Append a piece to the part of a file that is there; the last one puts it in its place."""
    whole = Path(path).expanduser()
    unfinished = whole.with_name(part)
    whole.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (0 if offset else os.O_EXCL)
    descriptor = os.open(unfinished, flags, 0o666)
    try:
        while data:
            done = os.pwrite(descriptor, data, offset)
            data, offset = data[done:], offset + done
        size = os.fstat(descriptor).st_size
        if last:
            unfinished.replace(whole)
    except BaseException:
        unfinished.unlink()
        raise
    finally:
        os.close(descriptor)
    return {"size": size}, b""


def names(path: str, skip: int, most: int, room: int) -> Answer:
    """Return what is below a folder, after `skip` other entries, as far as `most` and `room` bytes go."""
    found: list[list[Any]] = []
    more = False
    for number, entry in enumerate(_below(Path(path).expanduser())):
        if number < skip:
            continue
        room -= len(json.dumps(entry)) + 2
        if len(found) == most or (room < 0 and found):
            more = True
            break
        found.append(entry)
    return {"entries": found, "more": more}, b""


def _below(root: Path) -> Iterator[list[Any]]:
    folders = [("", 0)]
    while folders:
        folder, depth = folders.pop()
        with os.scandir(root / folder) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
        for entry in there:
            name, status = folder + entry.name, entry.stat(follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                yield [name, _KINDS.get(stat.S_IFMT(status.st_mode), "device"), status.st_size]
            elif depth < DEEPEST:
                folders.append((name + "/", depth + 1))
            else:
                yield [name, "folder", 0]


def remove(path: str) -> Answer:
    """Remove a folder and what is in it."""
    shutil.rmtree(path)
    return {}, b""


ACTIONS: dict[str, Callable[..., Answer]] = {
    "make": make,
    "read": read,
    "write": write,
    "names": names,
    "remove": remove,
}
