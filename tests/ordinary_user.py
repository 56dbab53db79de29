"""A user without privileges, who has the checkout under test installed.

A suite that runs as root proves nothing about ordinary users: other directories are
readable, cgroups are writable, and the wall is built in another way. So, as root, part of the
suite runs once more as this user, from a copy of the checkout, with an interpreter that the
user can reach (root's own Python often lives below /root).
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.installed import SHARED, do, locked

NAME = "sandbox-kernel-test"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "executed", "dist", "build", "__pycache__", ".*_cache")


@dataclass(frozen=True)
class OrdinaryUser:
    """Runs programs as that user."""

    uid: int
    gid: int
    home: Path
    python: Path
    checkout: Path

    def run(self, *command: str | Path, timeout: float, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command from the copy of the checkout; return it with its output, errors included."""
        return subprocess.run(
            command,
            cwd=self.checkout,
            env={
                "PATH": f"{self.python.parent}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                **env,
            },
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def ordinary_user(installed: Path, repository: Path) -> Iterator[OrdinaryUser]:
    """A user without privileges; made once, and only where we are root."""
    if os.geteuid() != 0:
        pytest.fail("only root can become another user; an ordinary user's run of the suite is that test")
    account = _account()
    home = SHARED / f"home-{os.getpid()}"
    home.mkdir(mode=0o700)
    try:
        shutil.copytree(repository, home / "checkout", ignore=NOT_COPIED, symlinks=True)
        for path in [home, *home.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        yield OrdinaryUser(account.pw_uid, account.pw_gid, home, installed, home / "checkout")
    finally:
        shutil.rmtree(home)


def _account() -> pwd.struct_passwd:
    with locked(SHARED / "lock"):
        try:
            return pwd.getpwnam(NAME)
        except KeyError:
            do("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME)
            return pwd.getpwnam(NAME)
