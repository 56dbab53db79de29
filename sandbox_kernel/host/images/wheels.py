"""Downloads an image's wheels on this machine, with this machine's pip configuration.

A build runs without a network, so mirrors, proxies and certificates need to be set in one place
only: where they are set already. What arrives is checked against the hashes of the lock.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_kernel.errors import ImageError

OLDEST_PYTHON: Final = (3, 11)
"""The locks are resolved for this version: what newer ones need is among it (`pip check` makes sure)."""

_OLDEST_GLIBC: Final = 5
"""2.5 is the first that wheels are made for (manylinux1)."""


@dataclass(frozen=True, slots=True)
class Target:
    """What wheels must run on."""

    python: tuple[int, int]
    machine: str
    """As `platform.machine()` has it."""
    glibc: tuple[int, int] | None
    """None: another C library."""

    def check(self, base: str) -> None:
        """Refuse a base that the locks have no wheels for.

        :raises ImageError: always, then.
        """
        if self.python < OLDEST_PYTHON:
            raise ImageError(
                f"{base} has Python {_dotted(self.python)}; images need {_dotted(OLDEST_PYTHON)} or newer."
            )
        if self.glibc is None:
            raise ImageError(f"{base} is not built on glibc, which wheels need; name another base.")

    @property
    def platforms(self) -> Iterator[str]:
        """The names of platforms whose wheels run there, best first."""
        if self.glibc is not None:
            for minor in range(self.glibc[1], _OLDEST_GLIBC - 1, -1):
                yield f"manylinux_2_{minor}_{self.machine}"
        yield from (f"{old}_{self.machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1"))
        yield f"linux_{self.machine}"


def download(locks: Sequence[Path], target: Target, directory: Path) -> list[Path]:
    """Download all wheels of the locks into the directory and return them.

    :raises ImageError: pip is missing, or could not get one of them.
    """
    if importlib.util.find_spec("pip") is None:
        raise ImageError(
            f"Packages are downloaded with pip, which is missing; run `{sys.executable} -m ensurepip`."
        )
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(directory)]
    command += ["--implementation", "cp", "--python-version", _dotted(target.python)]
    command += [word for platform in target.platforms for word in ("--platform", platform)]
    command += [word for lock in locks for word in ("--requirement", str(lock))]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PIP_NO_COLOR": "1"},
    )
    if done.returncode:
        raise ImageError(f"pip could not download the image's packages: {_reason(done.stdout)}")
    return sorted(directory.glob("*.whl"))


def _reason(output: str) -> str:
    """Return what pip calls the error, else its last words."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it said nothing."])[-1]


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
