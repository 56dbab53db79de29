"""`sandbox-kernel bench` with the tests' own Docker and Podman up, and our image in them.

`python -m tests.benchmarks.containers [OPTIONS]` takes the options of `sandbox-kernel bench`. As root, for
only root starts daemons. These have no bridge, so a container that was started by hand cannot be
compared with; where your own daemon has one, `sandbox-kernel bench` by itself does that.
"""

import os
import sys
from contextlib import ExitStack

from sandbox_kernel.cli import main
from tests.daemons import images
from tests.daemons.plugin import daemon
from tests.daemons.services import SEARCHED

if __name__ == "__main__":
    with ExitStack() as stack:
        docker, podman = (stack.enter_context(daemon(name)) for name in ("docker", "podman"))
        images.build(docker, "python")
        images.copy(docker, podman, "python")
        os.environ.update(DOCKER_HOST=docker, CONTAINER_HOST=podman, PATH=SEARCHED)
        sys.argv[1:1] = ["bench"]
        main(sys.argv[1:])
