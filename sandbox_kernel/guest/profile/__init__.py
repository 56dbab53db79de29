"""What ipykernel is told by its profile: see `ipython_kernel_config.py`, which is data here."""

from __future__ import annotations

import os

_FILE = "ipython_kernel_config.py"


def write_profile(directory: str, preload: tuple[str, ...] = ()) -> None:
    """Make `directory` an IPYTHONDIR whose default profile is ours, and imports these modules.

    :raises OSError: it cannot be written.
    """
    profile = os.path.join(directory, "profile_default")
    os.makedirs(profile, mode=0o700, exist_ok=True)
    loader = globals()["__loader__"]  # all this may lie in an archive: who imported it can read it
    with open(os.path.join(profile, _FILE), "wb") as file:
        file.write(loader.get_data(os.path.join(os.path.dirname(__file__), _FILE)))
        file.write(f"_PRELOAD += {tuple(preload)!r}\n".encode())
