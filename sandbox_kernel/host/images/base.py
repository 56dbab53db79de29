"""A base image from distribution packages, where no registry can be reached."""

import hashlib
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.images.recipe import BASE_LABEL, OFFLINE_BASE, directory
from sandbox_kernel.host.images.store import Say, Store

_LAST_WORDS: Final = 5
"""Lines of a failed script that its error ends with."""


def script_digest() -> str:
    """Return what tells one version of the script from another."""
    return hashlib.sha256((directory() / "base").read_bytes()).hexdigest()[:16]


def is_current(store: Store) -> bool:
    """Say whether a daemon has a base that this version of the script made, however old its packages."""
    found = store.find(store.own(OFFLINE_BASE))
    return found is not None and found.labels.get(BASE_LABEL) == script_digest()


def make(tar: Path, say: Say) -> None:
    """Make the root file system of a base, as a tar file; takes half a minute.

    :raises ImageError: mmdebstrap is missing or failed; with its last words.
    """
    command = ["sh", str(directory() / "base"), str(tar)]
    heard: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as script:
        for line in script.stdout or ():
            heard.append(line.rstrip())
            say(line.rstrip())
    if script.returncode:
        words = "\n".join(heard[-_LAST_WORDS:])
        raise ImageError(f"No base could be made from distribution packages; the last words were:\n{words}")


def load(store: Store, tar: Path) -> None:
    """Make the base image of a daemon from that tar file."""
    store.load_root(tar, store.own(OFFLINE_BASE), {BASE_LABEL: script_digest()})


def renew(store: Store, say: Say) -> None:
    """Make the base image of a daemon anew, from the packages of today."""
    with TemporaryDirectory(prefix="sandbox-kernel-base-") as scratch:
        tar = Path(scratch, "base.tar")
        make(tar, say)
        load(store, tar)
