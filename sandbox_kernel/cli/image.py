"""`sandbox-kernel image`: the container images that kernels run in."""

from typing import Literal, get_args

import click

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.images import recipe

EngineName = Literal["docker", "podman"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)

HELP = """
Build the images that kernels run in with the engines docker and podman, list them, and see whether an
image can be used: one of ours, or any with Python 3.9 or newer and ipykernel.

\b
Examples:
  sandbox-kernel image build
  sandbox-kernel image build python scipy --offline
  sandbox-kernel image list
  sandbox-kernel image check registry.example.org/team/notebooks:7

\b
Exit codes:
    0  ok                      2  wrong use, or not possible here; nothing changed
    1  check: not usable     130  cancelled
"""

BUILD_HELP = """
Build images of ours: `python` (ipykernel and little else; what is built if nothing is named), and
`scipy` (numpy, pandas, matplotlib, scipy, scikit-learn, ipywidgets).

Packages are downloaded on this machine, with this machine's pip configuration, and their hashes are
checked; the build itself has no network.
"""

engine_option = click.option(
    "--engine", type=click.Choice(ENGINES), help="Whose images.  [default: docker, else podman]"
)


@click.group("image", help=HELP, short_help="Build, list and check container images.")
def command() -> None:
    """Hold the commands together."""


@command.command("build", help=BUILD_HELP, short_help="Build images of ours.")
@click.argument("names", metavar="[python|scipy]...", nargs=-1, type=click.Choice(recipe.NAMES))
@click.option(
    "--offline", is_flag=True, help="Make the base image from Debian packages: no registry is asked."
)
@click.option("--base", "named", metavar="IMAGE", help=f"Build on IMAGE.  [default: {recipe.DEFAULT_BASE}]")
@engine_option
def build_command(
    *, names: tuple[str, ...], offline: bool, named: str | None, engine: EngineName | None
) -> int:
    """Build each, and say what came of it."""
    if offline and named:
        raise click.UsageError("--offline makes a base image and --base names one; say one of the two.")
    from sandbox_kernel.cli.imaging import build_images

    build_images(names or (recipe.NAMES[0],), engine, None if offline else named or recipe.DEFAULT_BASE)
    return ExitCode.OK


@command.command("list", short_help="List the images that carry a guest of ours.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one list of objects.")
@engine_option
def list_command(*, as_json: bool, engine: EngineName | None) -> int:
    """List the images of ours, and those built on them, that Docker and Podman have here."""
    from sandbox_kernel.cli.imaging import list_images

    list_images(engine, as_json=as_json)
    return ExitCode.OK


@command.command("check", short_help="See whether an image can be used here, and what it lacks.")
@click.argument("image")
@click.option("--runtime", help="Run it with this runtime, as the daemon names it (runsc is gVisor).")
@click.option("--json", "as_json", is_flag=True, help="For programs: one object.")
@engine_option
def check_command(*, image: str, runtime: str | None, as_json: bool, engine: EngineName | None) -> int:
    """Look into IMAGE from a container as closed as a kernel's, and start one kernel.

    The image is never pulled. Exits with 0 when kernels start in it, with 1 when not.
    """
    from sandbox_kernel.cli.imaging import check_image

    return ExitCode.OK if check_image(image, runtime, engine, as_json=as_json) else 1
