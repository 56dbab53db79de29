"""Asks an image what is in it: a few lines of Python, in a container as closed as a kernel's.

The image may be anybody's, so what it answers is taken as a claim, of a bounded length, within
a bounded time.
"""

import json
import secrets
import select
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker import leftovers
from sandbox_kernel.host.engines.docker.daemon import Daemon, RefusedError
from sandbox_kernel.host.engines.docker.engine import PREFIX, SECCOMP
from sandbox_kernel.host.engines.docker.facts import Image
from sandbox_kernel.host.engines.docker.grants import grant
from sandbox_kernel.host.engines.docker.guest import PYTHON
from sandbox_kernel.host.engines.docker.line import Line
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.host.engines.docker.stream import Demultiplexer
from sandbox_kernel.policy import Policy

SECONDS: Final = 60.0
"""A container starts and Python answers within a second or two; a busy machine gets a minute."""

MAX_ANSWER: Final = 1 << 20
"""Most bytes taken of what it says."""

_PIECE: Final = 64 << 10

_CLOSED: Final = Policy(workspace="none")


def ask(daemon: Daemon, image: Image, code: str, policy: Policy = _CLOSED) -> list[Any]:
    """Run code in a throw-away container and return the JSON list that it prints last.

    :raises ImageError: there is no python3 in the image, or it prints something else.
    :raises EngineUnavailableError: the daemon does not answer.
    """
    output, errors = _run(daemon, image, (PYTHON, "-I", "-B", "-c", code), policy)
    try:
        answer = json.loads(output.strip().rpartition(b"\n")[2])
    except ValueError:
        answer = None
    if not isinstance(answer, list):
        words = (errors or output).decode(errors="replace").strip().splitlines()[-1:] or ["nothing."]
        raise ImageError(f"{image.name} cannot be used; its python3 answers: {words[0][:500]}")
    return answer


def _run(daemon: Daemon, image: Image, command: tuple[str, ...], policy: Policy) -> tuple[bytes, bytes]:
    """Return what a container writes to its output and to its errors, until it ends."""
    facts = daemon.facts()
    launch = Launch(argv=command, directory=Path("/"), name=secrets.token_hex(8))
    seccomp = str(SECCOMP) if facts.podman else SECCOMP.read_text(encoding="utf-8")
    granted = grant(policy, launch, daemon.address, facts)
    run = Run(command, leftovers.labels(launch.name))
    created = daemon.create(
        PREFIX + launch.name, container(policy, image, facts, granted, run, seccomp=seccomp)
    )
    try:
        line = daemon.attach(created.id)
        try:
            daemon.start(created.id)
            return _listen(line)
        finally:
            line.close()
    except RefusedError as error:
        raise ImageError(f"{image.name} cannot be used; no python3 runs in it. {error}") from error
    finally:
        daemon.remove(created.id)


def _listen(line: Line) -> tuple[bytes, bytes]:
    demultiplexer, output, errors = Demultiplexer(), bytearray(), bytearray()
    buffer = memoryview(bytearray(_PIECE))
    poller = select.poll()
    poller.register(line.stdout, select.POLLIN)
    deadline = monotonic() + SECONDS
    while len(output) + len(errors) < MAX_ANSWER and (left := deadline - monotonic()) > 0:
        poller.poll(1000 * left)
        try:
            count = line.read(buffer)
        except BlockingIOError:
            continue
        if not count:
            break
        kept, complaint = demultiplexer.feed(buffer[:count])
        output += buffer[:kept]
        errors += complaint
    return bytes(output), bytes(errors)
