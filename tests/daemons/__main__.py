"""Before the tests: have every container engine ready, and say in one line each what will run.

`python -m tests.daemons`. Images take minutes on a new machine, which no test's time limit allows for.
"""

import shutil

from tests.daemons import images
from tests.daemons.plugin import daemon
from tests.daemons.services import SEARCHED, MissingError


def prepare_docker() -> str:
    with daemon("docker") as host:
        for name in ("python", "scipy"):
            images.build(host, name)
        return f"{images.version(host)}, with images sandbox-kernel/python and sandbox-kernel/scipy"


def prepare_gvisor() -> str:
    if shutil.which("runsc", path=SEARCHED) is None:
        raise MissingError("runsc is not installed")
    return "runsc, in Docker"


def prepare_podman() -> str:
    with daemon("docker") as source, daemon("podman") as host:
        images.copy(source, host, "python")
        return f"{images.version(host)}, with image sandbox-kernel/python"


def main() -> None:
    for engine, prepare in {
        "docker": prepare_docker,
        "gvisor": prepare_gvisor,
        "podman": prepare_podman,
    }.items():
        try:
            print(f"engine {engine}: {prepare()}", flush=True)
        except MissingError as error:
            print(f"engine {engine}: not tested here: {error}", flush=True)


if __name__ == "__main__":
    main()
