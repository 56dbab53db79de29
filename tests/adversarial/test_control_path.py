"""Promise: nothing that a stranger wrote (a kernelspec, a folder, an image) makes less of a wall.

Each value is first shown to be an attack: what would read it without our checks takes it. Then it is
refused before anything starts, or overruled.
"""

import math
import os
from pathlib import Path

import pytest

from sandbox_kernel.errors import PolicyError, SandboxError
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import read_image
from sandbox_kernel.host.engines.docker.grants import Granted, grant
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.host.engines.grants import open_grant
from sandbox_kernel.policy import Policy
from tests.adversarial.outside import IMAGES, LIMITS, MAXIMA, NAMES, PLACES
from tests.host.engines.docker.machines import facts

MOST = 1 << 32


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_limit_that_is_none_passes_a_comparison(field, value):
    """Who only compares with a maximum lets these pass, and many a tool takes them for "no limit"."""
    assert not float(value) > MOST or float(value) == math.inf


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_limit_that_is_none_is_refused(field, value):
    """A limit is a positive, finite number."""
    with pytest.raises(PolicyError, match=field):
        Policy.from_settings({field: value})


@pytest.mark.parametrize(("settings", "maxima"), MAXIMA)
def test_what_is_above_a_maximum_passes_without_it(settings, maxima):
    """Where an administrator sets none, a kernelspec may ask for it."""
    assert Policy.from_settings(settings)


@pytest.mark.parametrize(("settings", "maxima"), MAXIMA)
def test_what_is_above_a_maximum_is_refused(settings, maxima):
    """No source goes beyond what an administrator allows."""
    with pytest.raises(PolicyError):
        Policy.from_settings(settings, maxima=maxima)


@pytest.mark.parametrize("place", PLACES)
def test_a_place_holds_what_nobody_should_have(place):
    """There is something at each, and whoever runs this could mount it."""
    assert os.access(os.path.normpath(place.replace("~", str(Path.home()))), os.R_OK)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_place_is_not_granted(place, mode):
    """Neither the policy nor the engines let it in."""
    with pytest.raises(SandboxError):
        for mount in Policy.from_settings({"mounts": [f"{place}:{mode}"]}).granted_mounts():
            open_grant(str(mount.path), writable=mode == "rw").close()


@pytest.mark.parametrize("place", ["/etc", "/proc", "/dev", "/run"])
def test_a_link_is_judged_by_where_it_leads(tmp_path, place):
    """A folder that turns out to be a link to a forbidden one is refused."""
    link = tmp_path / "data"
    link.symlink_to(place)
    assert os.listdir(link) == os.listdir(place)
    with pytest.raises(SandboxError):
        open_grant(str(link), writable=False).close()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_s_name_is_an_option_to_who_joins_with_commas(name):
    """The command line's own form of a mount reads the name of a folder as more fields, or lines."""
    fields = f"type=bind,source=/notebooks/{name},target=/x".splitlines()
    assert len(fields) > 1 or len(fields[0].split(",")) > 3 or '"' in fields[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_s_name_is_no_option(tmp_path, name):
    """Podman's service joins with commas, so such a folder is refused there; Docker's takes it as it is."""
    tmp_path.chmod(0o755)
    folder = tmp_path / name
    folder.mkdir(parents=True)
    launch = Launch(("python3",), folder, "0" * 16)
    address = Address("docker", "unix:///run/d.sock", "tests")
    with pytest.raises(SandboxError, match="Podman cannot mount"):
        grant(Policy(), launch, address, facts(product="Podman"))


def body_for(config: dict) -> dict:
    image = read_image("hostile", {"Id": "sha256:1", "Config": config})
    run = Run(("ours",), {"owner": "us"})
    return container(Policy(), image, facts(), Granted(), run, seccomp="list")


@pytest.mark.parametrize("name", IMAGES)
def test_what_an_image_asks_for_is_overruled(name):
    """An image's word is in its configuration, which a daemon heeds; ours stands in its place."""
    config, wanted = IMAGES[name]
    assert wanted(body_for(config))
    assert not wanted({**config, "HostConfig": {"Tmpfs": {}}})
