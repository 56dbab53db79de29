"""A submission as the code cells that it consists of; whatever is wrong with it is its own fault.

A script is one cell, run as a program is. A notebook's cells run one by one, those that are tagged
`skip-execution` left out.
"""

import codecs
import io
import re
from dataclasses import dataclass
from pathlib import Path
from tokenize import detect_encoding
from typing import Final

from sandbox_kernel.checks.bare import TooMuchError, bare
from sandbox_kernel.errors import NotebookError

SUFFIXES: Final = (".py", ".ipynb")
MAX_CELLS: Final = 500
"""Code cells of a notebook: ten times what exercises have; each costs its own round trip."""
NOTEBOOK_SPACE: Final = 16 << 20
"""Bytes of a notebook's file, which may hold the outputs of its author's last run beside its code."""


OF_BYTES: Final = re.compile(r"iso8859-\d+|cp\d+|koi8-\w|mac-\w+|ascii")
"""Encodings that scripts have beside UTF-8: tables, which take as long as the text is."""


class SubmissionError(Exception):
    """A submission that cannot be run; the sentence is for its author."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One code cell to run."""

    number: int
    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be run."""

    pieces: tuple[Piece, ...]
    is_script: bool
    name: str = "submission.py"
    """The file's, without its folder."""


def read_submission(path: Path, most_code: int) -> Submission:
    """Return a submission's code cells.

    :param most_code: bytes of code, all cells together, that a submission may have.
    :raises SubmissionError: it cannot be read, is no script or notebook, or too long.
    """
    try:
        if path.is_symlink():
            raise SubmissionError("it is a link, which is not followed")
        if path.suffix not in SUFFIXES:
            raise SubmissionError(f"it is neither a script (.py) nor a notebook (.ipynb): {path.name}")
        submission = _script(path, most_code) if path.suffix == ".py" else _notebook(path)
    except OSError as error:
        raise SubmissionError(f"it cannot be read: {error.strerror}") from error
    if not any(piece.source.strip() for piece in submission.pieces):
        raise SubmissionError("there is no code in it")
    length = sum(len(piece.source.encode()) for piece in submission.pieces)
    if length > most_code:
        raise SubmissionError(_too_long(most_code))
    return submission


def _too_long(most_code: int) -> str:
    return f"it has more than {most_code >> 10} KiB of code"


def _script(path: Path, most_code: int) -> Submission:
    if not path.is_file():
        raise SubmissionError("there is no such file")
    try:
        with path.open("rb") as file:
            content = file.read(most_code + 4)  # a byte order mark does not count
        source = _decoded(content)
    except (UnicodeDecodeError, SyntaxError) as error:
        if len(content) > most_code:
            raise SubmissionError(_too_long(most_code)) from error
        raise SubmissionError(
            "it is neither UTF-8 text nor says in its first line which encoding it has; save it as UTF-8"
        ) from error
    return Submission((Piece(1, source),), is_script=True, name=path.name)


def _decoded(content: bytes) -> str:
    """Return a script's text, in the encoding that it names (PEP 263), if that is one of a byte for a letter.

    :raises UnicodeDecodeError: it is not in it.
    :raises SyntaxError: there is no such encoding, or it contradicts itself.
    """
    named, _ = detect_encoding(io.BytesIO(content).readline)
    encoding = codecs.lookup(named).name
    return content.decode(encoding if OF_BYTES.fullmatch(encoding) else "utf-8-sig")


def _notebook(path: Path) -> Submission:
    from sandbox_kernel.notebooks.document import code_cells  # noqa: PLC0415 -- scripts do without nbformat
    from sandbox_kernel.notebooks.files import open_file, parse_notebook  # noqa: PLC0415

    try:
        with open_file(path) as file:
            content = file.read(NOTEBOOK_SPACE + 1)
        if len(content) > NOTEBOOK_SPACE:
            raise SubmissionError(f"it is larger than {NOTEBOOK_SPACE >> 20} MiB; clear its outputs")
        nb = parse_notebook(bare(content.decode("utf-8-sig")), str(path))
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not a notebook: it is not UTF-8 text") from error
    except (NotebookError, TooMuchError) as error:
        raise SubmissionError(str(error).rstrip(".")) from error
    cells = code_cells(nb)
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"it has more than {MAX_CELLS} code cells")
    tagged = ((cell, nb.cells[cell.index].metadata.get("tags", ())) for cell in cells)
    pieces = (Piece(cell.number, cell.source, frozenset(map(str, tags))) for cell, tags in tagged)
    return Submission(tuple(pieces), is_script=False, name=path.name)
