"""The images that we build: their names, what they are made from, and what of it a daemon is sent."""

import hashlib
import importlib.metadata
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import sandbox_kernel
from sandbox_kernel import __version__
from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.docker import guest

NAMES: Final = ("python", "scipy")
"""Every image of ours; each has a lock of that name."""

DEFAULT_BASE: Final = "python:3.13-slim"
OFFLINE_BASE: Final = "sandbox-kernel/base"
"""What the base is called that was made from distribution packages."""

CONTENTS_LABEL: Final = "org.sandbox-kernel.contents"
"""The image label that holds `Recipe.digest`."""

STAGE_LABEL: Final = "org.sandbox-kernel.stage"
"""The label of the stage that packages are installed in; kept so that the next build is quick."""

BASE_LABEL: Final = "org.sandbox-kernel.base"
"""The label of an offline base: a digest of the script that made it."""

_SHARED: Final = "share/sandbox-kernel/images"


def reference(name: str) -> str:
    """Return what the image of that name is called in a daemon."""
    return f"sandbox-kernel/{name}"


def directory() -> Path:
    """Return the directory of Dockerfile, locks and base script: the checkout's, or the installed one.

    :raises ImageError: it was not installed.
    """
    checkout = Path(sandbox_kernel.__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").exists() and (checkout / "images" / "Dockerfile").exists():
        return checkout / "images"  # an editable installation's copy may be older
    distribution = importlib.metadata.distribution("sandbox-kernel")
    for file in distribution.files or ():
        if file.as_posix().endswith(f"{_SHARED}/Dockerfile"):
            return Path(str(distribution.locate_file(file))).resolve().parent
    raise ImageError(f"{_SHARED}/Dockerfile is missing; install sandbox-kernel again, as a wheel.")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one image is made from."""

    name: str
    """One of `NAMES`."""

    def __post_init__(self) -> None:
        """Refuse what is no image of ours."""
        if self.name not in NAMES:
            raise ImageError(f"There is no image {self.name!r} to build; there are {' and '.join(NAMES)}.")

    @property
    def tags(self) -> tuple[str, str]:
        """What the result is called: the newest, and this version's."""
        return f"{reference(self.name)}:latest", f"{reference(self.name)}:{__version__}"

    @property
    def locks(self) -> tuple[Path, Path]:
        """What is installed in the image; what the build itself needs."""
        return directory() / f"{self.name}.txt", directory() / "tools.txt"

    def digest(self, base_id: str) -> str:
        """Return a digest of all that goes in, with the base of that id: equal means up to date."""
        digest = hashlib.sha256(f"{base_id} {guest.label()}".encode())
        for path in (directory() / "Dockerfile", *self.locks):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def write_context(self, target: IO[bytes], wheels: Iterable[Path]) -> None:
        """Write the build's context as a tar file: rights and dates do not depend on this machine."""
        with tarfile.open(fileobj=target, mode="w") as tar:
            for path, content in self._files():
                tar.addfile(_entry(path, len(content)), io.BytesIO(content))
            for wheel in sorted(wheels):
                with wheel.open("rb") as file:
                    tar.addfile(_entry(f"build/wheels/{wheel.name}", wheel.stat().st_size), file)

    def _files(self) -> Iterator[tuple[str, bytes]]:
        yield "Dockerfile", (directory() / "Dockerfile").read_bytes()
        yield "build/requirements.txt", self.locks[0].read_bytes()
        for name, path in guest.sources().items():
            yield f"guest/{name}", path.read_bytes()


def _entry(path: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.size = size
    entry.mode = 0o644
    return entry
