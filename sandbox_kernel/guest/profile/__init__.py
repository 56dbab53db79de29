"""What ipykernel is told by its profile: two files, which are data here, see `ipython_kernel_config.py`."""

from __future__ import annotations

import os

_FILE = "ipython_kernel_config.py"
_BESIDE = "interrupts.py"


def write_profile(directory: str, preload: tuple[str, ...] = ()) -> None:
    """Make `directory` an IPYTHONDIR whose default profile is ours, and imports these modules.

    :raises OSError: it cannot be written.
    """
    profile = os.path.join(directory, "profile_default")
    os.makedirs(profile, mode=0o700, exist_ok=True)
    for name, rest in ((_BESIDE, ""), (_FILE, f"_PRELOAD += {tuple(preload)!r}\n")):
        with open(os.path.join(profile, name), "wb") as file:
            file.write(_source(name) + rest.encode())


def _source(name: str) -> bytes:
    loader = globals()["__loader__"]  # all this may lie in an archive: who imported it can read it
    source: bytes = loader.get_data(os.path.join(os.path.dirname(__file__), name))
    return source
