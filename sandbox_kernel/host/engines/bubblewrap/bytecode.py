"""The guest's bytecode: made outside, as inside nothing can be written.

Some installers leave it to the first import (uv, editable installations), and the guest's modules are
never imported outside. Without it, every sandbox would compile them anew, for 20 ms.
"""

import contextlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path

from sandbox_kernel.host.engines.bubblewrap.layout import GUEST_PARTS


@cache
def compile_guest(package: str) -> None:
    """Write the bytecode that is missing beside our modules, if Python would do so when it imports them.

    Where it may not be written (another's installation, a file system that is full), it stays missing.
    """
    if not sys.dont_write_bytecode:
        for path in _sources(Path(package)):
            if not _is_compiled(path):
                with contextlib.suppress(OSError):
                    SourceFileLoader(path.stem, str(path)).get_code(path.stem)


def _sources(package: Path) -> Iterator[Path]:
    for part in GUEST_PARTS:
        yield from [package / part] if part.endswith(".py") else (package / part).rglob("*.py")


def _is_compiled(path: Path) -> bool:
    try:
        return Path(cache_from_source(str(path))).stat().st_mtime >= path.stat().st_mtime
    except OSError:
        return False
