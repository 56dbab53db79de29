"""Keeps one daemon up as long as any test process needs it: `python -m tests.daemons.keeper NAME`.

Test workers come and go, and none can tell whether it is the last. Each holds a shared lock on
a file for as long as it lives; when the keeper gets the lock for itself, nobody is left.
"""

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import IO

from tests.daemons.services import RUN, STATE, MissingError, Service, dockerd, podman

KINDS = {"docker": dockerd, "podman": podman}


def users_of(name: str) -> Path:
    return RUN / f"{name}.users"


def keep(name: str, service: Service, announce: IO[str]) -> None:
    """Start, say so, and end it when nobody uses it any more."""
    service.start()
    with users_of(name).open("a") as users:
        announce.write("up\n")
        announce.close()
        while not _alone(users):
            time.sleep(0.5)
        service.stop()


def _alone(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    name = sys.argv[1]
    if os.fork():  # nobody's child: a test's count of what it has left is not about daemons
        os._exit(0)
    os.setsid()
    announce = os.fdopen(os.dup(1), "w")
    log = (STATE / f"{name}-keeper.log").open("wb")
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    try:
        keep(name, KINDS[name](), announce)
    except MissingError as error:
        announce.write(f"{error}\n")


if __name__ == "__main__":
    main()
