"""The kernel that a container is to run: its command, environment and directory inside."""

import os
import re
import shutil
from pathlib import PurePosixPath
from typing import Final

from msgspec.structs import replace

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker.facts import Facts, Image
from sandbox_kernel.host.engines.docker.guest import PYTHON
from sandbox_kernel.host.environment import HOME, NEVER, RUNTIME, kernel_environment
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import WIRE_VERSION, Start

_INTERPRETER: Final = re.compile(r"(?:python|pypy)[0-9.]*")


def start_message(policy: Policy, launch: Launch, image: Image, facts: Facts) -> Start:
    """Return the first message for the guest.

    The image's own variables come first: they are a part of the image. Then what every kernel gets.
    """
    argv = (interpreter(launch.argv[0]), *launch.argv[1:])
    own = kernel_environment(policy, replace(launch, argv=argv), os.environ)
    granted = {"PATH"} & {*policy.env, *launch.env}
    path = {} if granted else {"PATH": image.path}
    environment = {**image.environment, **own, **path}
    return Start(
        version=WIRE_VERSION,
        argv=argv,
        env={name: value for name, value in environment.items() if name not in NEVER},
        cwd=HOME if policy.workspace == "none" else os.path.normpath(launch.directory),
        runtime_dir=RUNTIME,
        key="",
        files=policy.files,
        pids=policy.pids if facts.is_gvisor(policy.runtime) else None,
        preload=policy.preload,
    )


def interpreter(command: str) -> str:
    """Return what a kernel's argv begins with inside: a Python of this host stands for the image's."""
    python = _INTERPRETER.fullmatch(PurePosixPath(command).name) and shutil.which(command)
    return PYTHON if python else command
