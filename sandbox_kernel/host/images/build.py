"""Builds an image of ours on a daemon, which may be on another machine and of another architecture.

All that needs a network happens here, on this side, before the build: the base is pulled, and
wheels for the base's Python are downloaded. The build itself runs without one.
"""

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.daemon import Daemon, RefusedError
from sandbox_kernel.host.images import probe, wheels
from sandbox_kernel.host.images.recipe import CONTENTS_LABEL, STAGE_LABEL, Recipe
from sandbox_kernel.host.images.store import Say, Store, Stored

_WHAT_IT_IS: Final = """
import json, platform, sys
print(json.dumps([*sys.version_info[:2], platform.machine(), *platform.libc_ver()]))
"""


def build(daemon: Daemon, name: str, base: str, say: Say) -> Stored:
    """Build the image of that name on that base, and return it; the one it replaces is removed.

    :raises ImageError: the base cannot be had or used, packages cannot be had, or a step failed.
    :raises EngineUnavailableError: the daemon does not answer.
    """
    recipe, store = Recipe(name), Store(daemon)
    newest, version = map(store.own, recipe.tags)
    before = store.find(newest)
    found = _base(store, base, say)
    target = _look_at(daemon, base)
    target.check(base)
    with TemporaryDirectory(prefix="sandbox-kernel-image-") as scratch, TemporaryFile() as context:
        say(f"Downloading packages for Python {target.python[0]}.{target.python[1]} …")
        recipe.write_context(context, wheels.download(recipe.locks, target, Path(scratch)))
        context.seek(0)
        arguments = {
            "BASE": found.id,  # a name could mean another image to the builder: registries have defaults
            "IMAGE": name,
            "GUEST": guest.label(),
            "CONTENTS": recipe.digest(found.id),
        }
        store.build(context, newest, arguments, say)
    store.tag(newest, version)
    built = store.find(newest)
    if built is None:
        raise ImageError(f"{newest} was built and is not there; did somebody remove it?")
    _tidy(store, name, before, built)
    return built


def up_to_date(store: Store, name: str, base: str) -> bool:
    """Say whether a build of that image on that base, as it is there, would change nothing."""
    recipe = Recipe(name)
    built, found = store.find(store.own(recipe.tags[0])), store.find(base)
    return bool(built and found and built.labels.get(CONTENTS_LABEL) == recipe.digest(found.id))


def _base(store: Store, name: str, say: Say) -> Stored:
    """Return the base image; one that is there is used as it is."""
    found = store.find(name)
    if found is None:
        say(f"Getting {name} …")
        try:
            store.pull(name, say)
        except (ImageError, RefusedError) as error:
            raise ImageError(
                f"{name} is not here and could not be had from its registry; say --offline to make the base "
                f"from Debian packages, or name an image that is here with --base. ({error})"
            ) from error
        found = store.find(name)
    if found is None:
        raise ImageError(f"{name} was pulled and is not there; is it an image of another architecture?")
    return found


def _look_at(daemon: Daemon, base: str) -> wheels.Target:
    image = daemon.image(base)
    if image is None:
        raise ImageError(f"{base} was here and is gone; did somebody remove it?")
    answer = probe.ask(daemon, image, _WHAT_IT_IS)
    try:
        major, minor, machine, library, version = answer
        first, second = version.split(".")[:2] if library == "glibc" else (0, 0)
        glibc = (int(first), int(second)) if library == "glibc" else None
        return wheels.Target((int(major), int(minor)), str(machine), glibc)
    except (TypeError, ValueError) as error:
        raise ImageError(f"{base} cannot be a base: it says of itself {answer!r}.") from error


def _tidy(store: Store, name: str, before: Stored | None, now: Stored) -> None:
    """Remove what the build replaced: the former image, and all but the newest of its stages."""
    old = []
    for stage in (name, f"guest-{name}"):
        old += [each.id for each in store.list(f"{STAGE_LABEL}={stage}", dangling=True)[1:]]
    if before is not None and before.id != now.id:
        left = store.find(before.id)
        if left is not None and not left.tags:  # else somebody gave it another name, to keep it
            old.append(before.id)
    for image in old:
        with contextlib.suppress(RefusedError):  # something is made from it
            store.remove(image)
