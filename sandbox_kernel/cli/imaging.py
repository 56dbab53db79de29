"""What `sandbox-kernel image` does, and how it is shown."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.image import ENGINES, EngineName
from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.address import at_hand, find_address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.engines.docker.engine import DockerEngine
from sandbox_kernel.host.engines.docker.facts import GUEST_LABEL
from sandbox_kernel.host.images import base, build, check, recipe
from sandbox_kernel.host.images.store import Say, Store, Stored
from sandbox_kernel.policy import Policy

_NOISE = ("--->", "-->", "Removing intermediate container")
"""What daemons say between the steps of a build."""


def build_images(names: Sequence[str], engine: EngineName | None, base_image: str | None) -> None:
    """Build each, and say what came of it; without an image to build on, one is made, offline.

    :raises SandboxError: it cannot be built here.
    """
    daemon = DockerEngine(_choose(engine)).connect()
    try:
        with _progress() as say:
            below = base_image or _offline_base(daemon, say)
            for name in dict.fromkeys(names):
                began = time.monotonic()
                built = build.build(daemon, name, below, say)
                took = time.monotonic() - began
                click.echo(f"Built {recipe.reference(name)}: {_size(built.size)}, in {took:.0f} s.")
    finally:
        daemon.close()


def list_images(engine: EngineName | None, *, as_json: bool) -> None:
    """Show the images that carry a guest of ours, of that engine or of those at hand.

    :raises EngineUnavailableError: there is none.
    """
    names = (engine,) if engine else _at_hand() or (_choose(None),)
    found = [(name, image) for name in names for image in _images(name)]
    if as_json:
        click.echo(json.dumps([{"engine": name, **asdict(image)} for name, image in found], indent=2))
    elif not found:
        click.echo("There are no images of ours here; `sandbox-kernel image build` makes one.")
    else:
        Console(markup=False, highlight=False, soft_wrap=True).print(_table(found))


def check_image(image: str, runtime: str | None, engine: EngineName | None, *, as_json: bool) -> bool:
    """Show whether kernels start in an image; return it as well.

    :raises SandboxError: it cannot be tried here.
    """
    chosen = _choose(engine)
    policy = Policy(engine=chosen, image=image, runtime=runtime, workspace="none")
    finding = check.check(DockerEngine(chosen), policy)
    if as_json:
        click.echo(json.dumps(asdict(finding), indent=2))
    else:
        _print(finding)
    return finding.usable


def _choose(engine: EngineName | None) -> EngineName:
    """Return the engine that was named, else the first that seems to be there.

    :raises EngineUnavailableError: none does.
    """
    if engine:
        return engine
    here = _at_hand()
    if here:
        return here[0]
    if os.environ.get("DOCKER_HOST"):
        return "docker"  # which will say what is wrong with it
    raise EngineUnavailableError(
        "Neither Docker nor Podman is running here; start one, or say with DOCKER_HOST where one is."
    )


def _at_hand() -> tuple[EngineName, ...]:
    here = tuple(name for name in ENGINES if at_hand(find_address(name, os.environ)))
    return here[:1] if os.environ.get("DOCKER_HOST") else here  # it is the same daemon for both


def _offline_base(daemon: Daemon, say: Say) -> str:
    say("Making a base image from Debian packages …")
    store = Store(daemon)
    base.renew(store, say)
    return store.own(recipe.OFFLINE_BASE)


def _images(engine: EngineName) -> list[Stored]:
    daemon = DockerEngine(engine).connect()
    try:
        return Store(daemon).list(GUEST_LABEL)
    finally:
        daemon.close()


@contextmanager
def _progress() -> Iterator[Say]:
    """Show what happens on standard error: in one changing line on a terminal, else line by line."""
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda line: _tell(console, line)
        return
    with console.status(Text("starting")) as status:
        yield lambda line: status.update(Text(_short(line, console.width))) if _telling(line) else None


def _tell(console: Console, line: str) -> None:
    if _telling(line):
        console.print(Text(_short(line, 200)))


def _telling(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(_NOISE)


def _short(line: str, width: int) -> str:
    line = plain(line.strip())
    return line if len(line) <= width - 4 else line[: width - 5] + "…"


def _size(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _table(found: list[tuple[EngineName, Stored]]) -> Table:
    table = Table(Column("image", overflow="fold"), "engine", "size", "guest", "id", box=None, pad_edge=False)
    for engine, image in found:
        for tag in image.tags:
            cells = (
                tag,
                engine,
                _size(image.size),
                "current" if image.labels.get(GUEST_LABEL) == guest.label() else "another",
                image.id.removeprefix("sha256:")[:12],
            )
            table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _print(finding: check.Finding) -> None:
    facts: dict[str, str] = {
        "image": f"{finding.image} ({finding.id.removeprefix('sha256:')[:12]}, {finding.engine})",
        "guest": _guest(finding),
        "python": f"{finding.python} ({finding.executable}, {finding.machine})" if finding.python else "-",
        "ipykernel": finding.ipykernel or "missing" if finding.python else "-",
        "runs as": finding.user or "-",
        "start": f"{finding.seconds:.1f} s" if finding.usable else "-",
    }
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for name, value in facts.items():
        console.print(Text(plain(f"{name:<10} {value}")))
    for problem in finding.problems:
        console.print(Text(plain(f"Problem: {problem}"), style="bold red"))
    if finding.usable:
        console.print(Text("Kernels start in it.", style="green"))


def _guest(finding: check.Finding) -> str:
    if finding.guest_is_ours:
        return f"{finding.guest}, in the image"
    carried = (
        f"the image has {finding.guest}, another than this one's" if finding.guest else "none in the image"
    )
    return f"{carried}; {guest.label()} is sent at each start"
