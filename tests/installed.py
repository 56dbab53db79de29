"""The checkout as users install it: a wheel, in an environment that any user may use.

Such an environment takes half a minute to make, so it is kept between runs, keyed on what
pyproject.toml asks for; the wheel in it is renewed whenever a packaged file has changed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SHARED = Path("/var/tmp/sandbox-kernel-test")
PACKAGED = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "sandbox_kernel",
    "provisioner",
    "kernelspecs",
    "images",
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A wheel, built from the checkout as `pip install .` builds it."""
    directory = tmp_path_factory.mktemp("wheel")
    do(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, repository)
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(pytestconfig: pytest.Config, repository: Path, wheel: Path) -> Path:
    """The interpreter of an environment with that wheel and all that the tests need."""
    base = SHARED if os.geteuid() == 0 else pytestconfig.cache.mkdir("installed")
    base.mkdir(mode=0o755, exist_ok=True)
    venv = base / f"venv-{_digest([repository / 'pyproject.toml'])}"
    python = venv / "bin" / "python"
    with locked(base / "lock"):
        if not (venv / "ready").exists():
            for stale in base.glob("venv-*"):
                shutil.rmtree(stale)
            do(reachable_python(), "-m", "venv", venv)
            do(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1")
            group = f"{repository / 'pyproject.toml'}:test"
            do(python, "-m", "pip", "install", "--quiet", "--group", group, wheel)
            (venv / "ready").touch()
        contents = _digest(path for name in PACKAGED for path in _files(repository / name))
        if (venv / "ready").read_text() != contents:
            do(python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
            (venv / "ready").write_text(contents)
    return python


def reachable_python() -> Path:
    """Return an interpreter that any user may execute: ours if possible, else the system's."""
    ours = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    if all(parent.stat().st_mode & 0o001 for parent in ours.parents):
        return ours
    return Path("/usr/bin/python3")


def do(*command: str | Path, timeout: float = 300, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=env)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one test session at a time make what several use."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [each for each in found if each.is_file() and "__pycache__" not in each.parts]


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in files:
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
