"""What ipykernel is told by its profile: three files, which are data here, see `ipython_kernel_config.py`."""

from __future__ import annotations

import os

_FILE = "ipython_kernel_config.py"
_BESIDE = ("output.py", "interrupts.py")


def write_profile(directory: str, preload: tuple[str, ...] = ()) -> None:
    """Make `directory` an IPYTHONDIR whose default profile is ours, and imports these modules.

    :raises OSError: it cannot be written.
    """
    profile = os.path.join(directory, "profile_default")
    os.makedirs(profile, mode=0o700, exist_ok=True)
    for name in (*_BESIDE, _FILE):
        rest = f"_PRELOAD += {tuple(preload)!r}\n" if name == _FILE else ""
        with open(os.path.join(profile, name), "wb") as file:
            file.write(_source(name) + rest.encode())


def _source(name: str) -> bytes:
    loader = globals()["__loader__"]  # all this may lie in an archive: who imported it can read it
    source: bytes = loader.get_data(os.path.join(os.path.dirname(__file__), name))
    return source
