"""The guest, as containers get it: already in our images, sent ahead of everything else to all others.

What an image carries is told by its label, which names the guest's version and a digest of its
sources. Where that is ours, the files in the image are run. Otherwise a few lines read an archive
of our guest from standard input, keep it in memory that has no name (code inside must not be able
to change what PID 1 has yet to import), and run it from there.
"""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Final

import sandbox_kernel
from sandbox_kernel import __version__

PLACE: Final = "/opt/sandbox-kernel"
"""Where our images keep the guest: the directory that holds the package `sandbox_kernel`."""

PYTHON: Final = "python3"
"""The interpreter of an image, found on the image's own PATH."""

PARTS: Final = ("__init__.py", "wire", "guest")
"""What of the package runs inside."""

LENGTH_BYTES: Final = 8

_PACKAGE: Final = Path(sandbox_kernel.__file__).parent

_ISOLATED: Final = (PYTHON, "-I", "-B")

_RECEIVE: Final = f"""\
import os, sys
if sys.version_info < (3, 9):
    sys.exit("The image's python3 is %d.%d; sandbox-kernel needs 3.9 or later." % sys.version_info[:2])
def take(count):
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece: os._exit(0)
        data += piece
    return data
archive = os.memfd_create("guest")
with open(archive, "wb", closefd=False) as file:
    file.write(take(int.from_bytes(take({LENGTH_BYTES}), "big")))
sys.path.insert(0, "/proc/self/fd/%d" % archive)
from sandbox_kernel.guest.descriptors import take_standard_streams
from sandbox_kernel.guest.supervisor import run
os._exit(run(*take_standard_streams(), as_init=os.getpid() == 1))
"""


def sources() -> dict[str, Path]:
    """Return the guest's source files by their path below PLACE, in order."""
    roots = [_PACKAGE / part for part in PARTS]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*.py"))]
    return {f"sandbox_kernel/{file.relative_to(_PACKAGE).as_posix()}": file for file in sorted(files)}


@cache
def label() -> str:
    """Return what the label says on an image that carries this very guest."""
    digest = hashlib.sha256()
    for name, file in sources().items():
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"{__version__}+{digest.hexdigest()[:16]}"


@cache
def archive() -> bytes:
    """Return what is sent first to a container whose image does not carry this guest."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, file in sources().items():
            bundle.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    content = memory.getvalue()
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def command(carried: str) -> tuple[tuple[str, ...], bytes]:
    """Return what PID 1 runs in an image with that label, and what must be sent to it first."""
    if carried == label():
        return (*_ISOLATED, f"{PLACE}/sandbox_kernel/guest/__main__.py"), b""
    return (*_ISOLATED, "-c", _RECEIVE), archive()
