"""Notebooks in files: read with a clear refusal, written whole or not at all."""

import json
import os
import re
import stat
import time
import uuid
from pathlib import Path
from typing import Any, BinaryIO, Final

import nbformat
from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.destination import READER_SECONDS, Destination
from sandbox_kernel.notebooks.near import reason

MAX_NOTEBOOK: Final = 256 << 20
"""Bytes that are read of a notebook, more than a browser shows: a program's output may have no end."""

MAX_CONTAINERS: Final = 2_000_000
"""Lists and mappings of a notebook: each has two bytes in its file, and half a kilobyte when it is read."""

MAX_VALUES: Final = 20_000_000
"""Commas of a notebook, that is, values: of the shortest texts in quotes, a gigabyte."""

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A text in JSON; also one that does not end, or the search for its end would begin again at each quote."""

MAX_LEVEL: Final = 6
"""Levels of headings, as HTML has them."""

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_notebook(path: Path) -> NotebookNode:
    """Return the notebook in the file `path`, converted to format 4.

    :raises NotebookError: there is no such file, it is none (a pipe, a device), or is not a notebook.
    """
    try:
        with open_file(path) as file:
            return load_notebook(file, str(path))
    except OSError as error:
        raise NotebookError(f"cannot read {path}: {reason(error, path)}") from error


def open_file(path: Path) -> BinaryIO:
    """Open a file and nothing else: a pipe is waited for, a device has no end, or does something.

    :raises NotebookError: it is something else.
    :raises OSError: it is not there, or may not be read.
    """
    held = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        mode = os.fstat(held).st_mode
        if not stat.S_ISREG(mode):
            what = _KINDS.get(stat.S_IFMT(mode), "something else")
            advice = (
                "name one notebook in it" if stat.S_ISDIR(mode) else "say - and send it to standard input"
            )
            raise NotebookError(f"cannot read {path}: it is {what}, not a file; {advice}.")
        return Path(f"/proc/self/fd/{held}").open("rb")
    finally:
        os.close(held)


def load_notebook(file: BinaryIO, name: str) -> NotebookNode:
    """Return the notebook that a stream of bytes holds, up to its end; `name` is what messages call it.

    :raises NotebookError: it is not a notebook, or too long for one.
    """
    return parse_notebook(load_text(file, name, "notebook"), name)


def load_text(file: BinaryIO, name: str, kind: str) -> str:
    """Return the text of a notebook or script, which `kind` says.

    :raises NotebookError: it is no text, or too long.
    """
    content = file.read(MAX_NOTEBOOK + 1)
    if len(content) > MAX_NOTEBOOK:
        raise NotebookError(
            f"{name} is larger than {MAX_NOTEBOOK >> 20} MiB; clear the outputs of its last run."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotebookError(f"{name} is not a {kind}: it is not UTF-8 text.") from error


def parse_notebook(text: str, name: str) -> NotebookNode:
    """Return the notebook in `text`; `name` is what messages call it.

    :raises NotebookError: it is not a notebook.
    """
    if _swells(text):
        raise NotebookError(
            f"{name} is not read: it is made of more than {MAX_CONTAINERS:,} lists and mappings, or "
            f"{MAX_VALUES:,} values; clear the outputs of its last run."
        )
    if not text or text.isspace():
        raise NotebookError(f"{name} is not a notebook: it is empty.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{name} is not a notebook: it is not JSON ({error}).") from error
    if not isinstance(content, dict) or "nbformat" not in content:
        raise NotebookError(f"{name} is not a notebook: it has no 'nbformat' field.")
    try:
        _refuse_tall_headings(content)
        del content  # it is read once more, by nbformat: one of the two at a time
        nb = _as_format_4(text)
        _fill_ids(nb)
        nbformat.validate(nb)
        _require_whole_characters(nb)
    except Exception as error:  # whatever a converter stumbles over, an AssertionError or a variable not set
        reason = str(getattr(error, "message", error))[:200] or type(error).__name__
        raise NotebookError(f"{name} is not a valid notebook: {reason}.") from error
    return nb


def _swells(text: str) -> bool:
    """Tell whether a few bytes of JSON would become gigabytes; what looks so in a text does not count."""
    return _has_many(text) and _has_many(_STRING.sub("", text))


def _has_many(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_CONTAINERS or text.count(",") > MAX_VALUES


def _refuse_tall_headings(content: dict[str, Any]) -> None:
    """Refuse an old heading of a billion levels: its conversion writes a "#" for each of them."""
    sheets = content.get("worksheets")
    for sheet in sheets if isinstance(sheets, list) else []:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            level = cell.get("level") if isinstance(cell, dict) else None
            if isinstance(level, int) and level > MAX_LEVEL:
                raise ValueError(f"it has a heading of more than {MAX_LEVEL} levels")


def _as_format_4(text: str) -> NotebookNode:
    notebook: NotebookNode = nbformat.convert(nbformat.reader.reads(text), 4)  # type: ignore[no-untyped-call]
    return notebook


def _fill_ids(nb: NotebookNode) -> None:
    """Give each cell an id of its own, as format 4.5 wants; many tools write notebooks without."""
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        return
    seen: set[Any] = set()
    for cell in nb.cells:
        if not isinstance(cell.get("id"), str) or cell["id"] in seen:
            cell["id"] = uuid.uuid4().hex[:8]
        seen.add(cell["id"])


def _require_whole_characters(nb: NotebookNode) -> None:
    """Refuse code with half a character (a lone surrogate): no message to a kernel can hold it."""
    for number, cell in enumerate(nb.cells, 1):
        try:
            cell.source.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"cell {number} has half a character (a lone surrogate)") from error


def to_text(nb: NotebookNode) -> str:
    """Return the notebook as it stands in a file; lone surrogates become question marks."""
    text: str = nbformat.versions[4].writes_json(nb)
    return text.encode("utf-8", "replace").decode("utf-8") + "\n"


def write_notebook(nb: NotebookNode, path: Path) -> None:
    """Replace `path` by `nb`, whole or not at all; a device or pipe is written to instead.

    Symbolic links are followed and an existing file keeps its permissions. Returns once the
    reader of a pipe has taken everything.

    :raises NotebookError: it cannot be written there.
    """
    with Destination(path) as destination:
        for _ in destination.write(to_text(nb).encode()):
            time.sleep(READER_SECONDS)
