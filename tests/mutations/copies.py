"""Copies of the checkout, and processes in them that import the copy and nothing of the checkout.

The environment's editable installation names the checkout; PYTHONPATH, which comes first, names
the copy. A process that is told to ignore PYTHONPATH (`python -E`) would import the checkout:
the argv launcher's own tests are therefore of no use here. The guest, the stage, the janitor and
the watchdog are started by the path of their file, which is the copy's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
COPIED = (
    ".github", "CHANGELOG.md", "LICENSE", "README.md", "examples", "images", "kernelspecs", "provisioner",
    "pyproject.toml", "sandbox_kernel", "tests",
)  # fmt: skip
"""What tests look at of a checkout."""

_WHERE = (
    "import sandbox_kernel, sandbox_provisioner as plug; print(sandbox_kernel.__file__); print(plug.__file__)"
)


@contextmanager
def a_copy(of: Path = CHECKOUT) -> Iterator[Path]:
    """Make a copy of a checkout that any user may read, as root's sandboxes must."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as place:
        Path(place).chmod(0o755)
        copy = Path(place, "checkout")
        copy.mkdir()
        for name in COPIED:
            source = of / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy / name)
        yield copy


def environment(copy: Path) -> dict[str, str]:
    """Return the environment of a process that is to import the copy."""
    return {
        **os.environ,
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'provisioner'}",
        "PYTHONDONTWRITEBYTECODE": "1",  # a file that changes twice within a second keeps its old bytecode
    }


def require_imported(copy: Path) -> None:
    """Make sure that what is tried out is the copy.

    :raises RuntimeError: it is not.
    """
    command = [sys.executable, "-c", _WHERE]
    done = subprocess.run(
        command, cwd=copy, env=environment(copy), capture_output=True, text=True, check=True
    )
    for file in done.stdout.split():
        if not Path(file).is_relative_to(copy):
            raise RuntimeError(f"A process in {copy} imports {file}: its tests would prove nothing.")
