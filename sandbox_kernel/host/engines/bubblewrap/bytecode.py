"""Bytecode that is made outside and before it is needed: of the guest, and of the programs around it.

Some installers leave it to the first import (uv, editable installations), the guest's modules are never
imported outside, and inside nothing can be written. Without it, every sandbox would compile them anew, for
20 ms. What Python runs as a program it compiles each time, unless it is given the bytecode.
"""

import contextlib
import struct
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Final

from sandbox_kernel.host.engines.bubblewrap.layout import GUEST_PARTS

HEADER: Final = struct.Struct("<4sIII")
"""How bytecode begins (PEP 552): magic number, flags, and of its source the time and the size."""


@cache
def compile_guest(package: str) -> None:
    """Write the bytecode that is missing beside our modules, if Python would do so when it imports them.

    Where it may not be written (another's installation, a file system that is full), it stays missing.
    """
    for path in _sources(Path(package)):
        _compile(path)


def program(source: str) -> str:
    """Return the path of what Python is to run of a program: its bytecode, or itself where there is none.

    It is made once if it is missing; whether it is there, and of this source, is looked at each time.
    """
    path = Path(source)
    if not _is_compiled(path):
        _compile(path)
    return cache_from_source(source) if _is_compiled(path) else source


def _sources(package: Path) -> Iterator[Path]:
    for part in GUEST_PARTS:
        yield from [package / part] if part.endswith(".py") else (package / part).rglob("*.py")


@cache
def _compile(path: Path) -> None:
    if not sys.dont_write_bytecode and not _is_compiled(path):
        with contextlib.suppress(OSError):
            SourceFileLoader(path.stem, str(path)).get_code(path.stem)


def _is_compiled(path: Path) -> bool:
    """Tell whether there is bytecode of this very source: of a program nobody else compares the two."""
    try:
        status = path.stat()
        with Path(cache_from_source(str(path))).open("rb") as file:
            header = file.read(HEADER.size)
    except OSError:
        return False
    return header == HEADER.pack(MAGIC_NUMBER, 0, _low(int(status.st_mtime)), _low(status.st_size))


def _low(number: int) -> int:
    return number & 0xFFFF_FFFF
